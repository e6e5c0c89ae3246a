//! Concurrent histories, and whether they can be explained.
//!
//! Threads record what they did to a table, each operation with the interval in which it ran. The history is
//! linearizable if there is an order of all operations, one that contradicts no interval, along which the
//! [model](crate::model) gives each the outcome that was seen, and ends as the table did.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::{Model, Op, Outcome, View};

/// An operation that ran between two readings of a common counter.
#[derive(Clone, Debug)]
pub struct Event {
    /// What was done.
    pub op: Op,
    /// What it gave.
    pub seen: Outcome,
    began: usize,
    ended: usize,
}

/// Stamps the events of all threads of one history.
#[derive(Debug, Default)]
pub struct Recorder(AtomicUsize);

impl Recorder {
    /// Runs one operation.
    pub fn record(&self, op: Op, perform: impl FnOnce(Op) -> Outcome) -> Event {
        // SeqCst: the readings of all threads are of one order, which the operations cannot leave.
        let began = self.0.fetch_add(1, Ordering::SeqCst);
        let seen = perform(op);
        let ended = self.0.fetch_add(1, Ordering::SeqCst);
        Event { op, seen, began, ended }
    }
}

/// Whether some order of `events`, from `start` on, ends in a state that agrees with `end`.
///
/// # Panics
///
/// With more than 64 events.
pub fn is_linearizable(start: &Model, events: &[Event], end: &View) -> bool {
    assert!(events.len() <= 64, "the set of events is a word");
    let mut search = Search { events, end, dead: Vec::new() };
    search.from(0, start)
}

struct Search<'h> {
    events: &'h [Event],
    end: &'h View,
    /// Sets of events done, and states, from which there is no way.
    dead: Vec<(u64, Model)>,
}

impl Search<'_> {
    fn from(&mut self, done: u64, state: &Model) -> bool {
        let left = || self.events.iter().enumerate().filter(|(index, _)| done >> index & 1 == 0);
        // Whatever begins after another one left has ended must come after it.
        let Some(first_end) = left().map(|(_, event)| event.ended).min() else {
            return state.agrees(self.end).is_ok();
        };
        if self.dead.iter().any(|(set, dead)| *set == done && dead == state) {
            return false;
        }
        let next: Vec<_> = left()
            .filter(|(_, event)| event.began < first_end)
            .flat_map(|(index, event)| {
                let after =
                    state.step(&event.op, &event.seen).into_iter().map(move |after| (done | 1 << index, after));
                after.chain(state.underway(&event.op).into_iter().map(move |midway| (done, midway)))
            })
            .collect();
        if next.iter().any(|(done, after)| self.from(*done, after)) {
            return true;
        }
        self.dead.push((done, state.clone()));
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use flow_table_api::{Direction, OnExpiry, Stats, Status, Timestamp};

    use super::*;
    use crate::model::{Admitted, FlowId, Sight, Spec};

    const NOW: Timestamp = Timestamp::ZERO;

    fn insert() -> (Op, Outcome) {
        let (timeout, on_expiry) = (Duration::from_secs(1), OnExpiry::Remove);
        let flow = Spec { id: FlowId(0), key: 1, reply: None, timeout, on_expiry };
        (Op::Insert { flow, now: NOW }, Outcome::Inserted(Ok(Admitted::New { replaced: None, made_room: vec![] })))
    }

    fn lookup(found: bool) -> (Op, Outcome) {
        let sight = Sight { flow: FlowId(0), direction: Direction::Forward, status: Status::Active };
        (Op::Lookup { key: 1, now: NOW }, Outcome::Found(found.then_some(sight)))
    }

    fn explained(events: &[((Op, Outcome), usize, usize)]) -> bool {
        let event = |((op, seen), began, ended): &((Op, Outcome), usize, usize)| Event {
            op: *op,
            seen: seen.clone(),
            began: *began,
            ended: *ended,
        };
        let events: Vec<_> = events.iter().map(event).collect();
        let model = Model::new(1);
        let end = View {
            len: 1,
            inserts: 1,
            refusals: 0,
            ended: Stats::new().ended,
            next_deadline: Some(NOW),
            held: BTreeMap::new(),
            dropped: BTreeMap::from([(FlowId(0), false)]),
        };
        is_linearizable(&model, &events, &end)
    }

    #[test]
    fn overlapping_operations_may_come_in_either_order() {
        assert!(explained(&[(insert(), 0, 3), (lookup(false), 1, 2)]));
        assert!(explained(&[(insert(), 0, 3), (lookup(true), 1, 2)]));
        assert!(explained(&[(insert(), 0, 5), (lookup(false), 1, 2), (lookup(true), 3, 4)]));
    }

    #[test]
    fn no_operation_comes_before_one_that_had_ended() {
        assert!(explained(&[(insert(), 0, 1), (lookup(true), 2, 3)]));
        assert!(!explained(&[(insert(), 0, 1), (lookup(false), 2, 3)]));
        assert!(!explained(&[(insert(), 0, 5), (lookup(true), 1, 2), (lookup(false), 3, 4)]));
    }
}
