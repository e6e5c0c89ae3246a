//! Histories are linearizable key by key (contract X1). Flows that share no key, not even indirectly, are
//! explained separately.

use std::collections::BTreeMap;

use flow_table_api::Status;

use super::crowd::Search;
use super::{Event, History};
use crate::model::{Admitted, End, Fact, FlowId, Moment, Op, Outcome, Sight, Spec};

/// A moment, and when it was: at some point of an event's interval.
#[derive(Debug)]
pub struct Timed {
    pub moment: Moment,
    pub began: usize,
    pub ended: usize,
    /// The event has had another moment before this one: that before it in the part.
    pub follows: bool,
    /// Its place in the history.
    pub event: usize,
}

/// Groups of keys by what flows have in common.
struct Groups {
    /// Each key's group is that of the key found here, until a key is its own.
    parents: BTreeMap<u64, u64>,
    /// A key of each flow.
    keys: BTreeMap<FlowId, u64>,
}

impl Groups {
    fn of(events: &[Event]) -> Self {
        let mut groups = Self { parents: BTreeMap::new(), keys: BTreeMap::new() };
        events.iter().filter_map(|event| event.op.spec()).for_each(|flow| groups.add(&flow));
        groups
    }

    fn add(&mut self, flow: &Spec) {
        self.keys.insert(flow.id, flow.key);
        self.join(flow.key, flow.reply.unwrap_or(flow.key));
    }

    fn join(&mut self, one: u64, other: u64) {
        let (one, other) = (self.of_key(one), self.of_key(other));
        self.parents.insert(one, other);
    }

    fn of_key(&self, mut key: u64) -> u64 {
        while let Some(&parent) = self.parents.get(&key).filter(|&&parent| parent != key) {
            key = parent;
        }
        key
    }

    fn of_flow(&self, flow: FlowId) -> u64 {
        self.keys.get(&flow).map_or(u64::MAX, |&key| self.of_key(key))
    }
}

/// The moments of each group of keys, in the order in which their events began.
pub fn parts(history: &History, searches: &[Search]) -> BTreeMap<u64, Vec<Timed>> {
    let events = &history.events;
    let groups = Groups::of(events);
    let mut parts: BTreeMap<u64, Vec<Timed>> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        let mut add = |group, moment, follows| {
            let Event { began, ended, .. } = *event;
            parts.entry(group).or_default().push(Timed { moment, began, ended, follows, event: index });
        };
        match (event.op, &event.seen) {
            (Op::Lookup { key, now }, &Outcome::Found(Some(Sight { flow, direction, status }))) => {
                let group = groups.of_key(key);
                add(group, Moment::Found { key, now, flow, direction }, false);
                add(group, Moment::Fact(Fact::Status(flow, status)), true);
            }
            (Op::SetTimeout { flow, timeout, now }, &Outcome::Set(result)) => {
                let group = groups.of_flow(flow);
                match result {
                    Ok(()) => {
                        add(group, Moment::Timeout { flow, timeout }, false);
                        add(group, Moment::Deadline { flow, timeout, now, result }, true);
                    }
                    Err(_) => {
                        add(group, Moment::Deadline { flow, timeout, now, result }, false);
                        add(group, Moment::Timeout { flow, timeout }, false);
                        // A reinsertion on its way may have read the timeout of before.
                        let until = reinserted_until(history, event, flow);
                        parts.entry(group).or_default().last_mut().expect("added just now").ended = until;
                    }
                }
            }
            (Op::GetOrInsertWith { flow, now }, seen) if !is_hit(seen) => {
                // A miss, which need not be one any more when the flow is inserted.
                add(groups.of_key(flow.key), Moment::Whole(Op::InsertIfAbsent { flow, now }, seen.clone()), false);
            }
            (Op::Reap { now, .. }, Outcome::Reaped { ended, .. }) => {
                for &end in ended {
                    add(groups.of_flow(end.flow), Moment::HandedOver { end, now }, false);
                }
                for flow in left_alone(history, searches, event, ended) {
                    add(groups.of_flow(flow), Moment::Fact(Fact::NotDue(flow, now)), false);
                }
            }
            (Op::ForEach, Outcome::Visited(visited)) => {
                for &flow in visited {
                    add(groups.of_flow(flow), Moment::Fact(Fact::Status(flow, Status::Active)), false);
                }
                let missed = settled(history, event).filter(|flow| !visited.contains(flow));
                for flow in missed {
                    add(groups.of_flow(flow), Moment::Fact(Fact::Passive(flow)), false);
                }
            }
            (op, seen) => {
                let group = key_of(&op).map_or_else(|| groups.of_flow(flow_of(&op)), |key| groups.of_key(key));
                add(group, Moment::Whole(op, seen.clone()), false);
            }
        }
    }
    for (&flow, &(status, deadline, timeout)) in &history.end.held {
        let part = parts.entry(groups.of_flow(flow)).or_default();
        part.push(at_the_end(Fact::Shows(flow, status, deadline, timeout)));
    }
    for part in parts.values_mut() {
        part.push(at_the_end(Fact::Empty));
        part.sort_by_key(|timed| timed.began);
    }
    parts
}

const fn at_the_end(fact: Fact) -> Timed {
    Timed { moment: Moment::Fact(fact), began: usize::MAX, ended: usize::MAX, follows: false, event: usize::MAX }
}

/// Whether a `get_or_insert_with` found its key, and made no flow.
const fn is_hit(seen: &Outcome) -> bool {
    matches!(seen, Outcome::Inserted(Ok(Admitted::Existing { rejected: false, .. })))
}

/// Flows that were in the table before `event`, and that nobody moved meanwhile: what a walk over the table must
/// come upon if they are there throughout.
fn settled<'h>(History { events, .. }: &'h History, event: &'h Event) -> impl Iterator<Item = FlowId> + 'h {
    let moves = |other: &Event, flow| match other.op {
        Op::SetDeadline { flow: moved, .. }
        | Op::SetTimeout { flow: moved, .. }
        | Op::Cancel { flow: moved }
        | Op::Reinsert { flow: moved, .. } => moved == flow,
        _ => false,
    };
    let before = events.iter().filter(|other| other.precedes(event) && !matches!(other.op, Op::Reinsert { .. }));
    before
        .filter_map(Event::installed)
        .filter(move |&flow| !events.iter().any(|other| other.overlaps(event) && moves(other, flow)))
}

/// The end of `event`, and of all reinsertions of `flow` at the same time.
fn reinserted_until(History { events, .. }: &History, event: &Event, flow: FlowId) -> usize {
    let reinsertions =
        events.iter().filter(|other| matches!(other.op, Op::Reinsert { flow: back, .. } if back == flow));
    let at_once = reinsertions.filter(|other| other.overlaps(event)).map(|other| other.ended);
    at_once.fold(event.ended, usize::max)
}

/// Flows that a reap had no reason to let go, if it says that it left nothing. What another reap at the same time
/// is about to find, or an insertion that makes room, it may overlook.
fn left_alone(history: &History, searches: &[Search], event: &Event, ended: &[End]) -> Vec<FlowId> {
    let everything = match (event.op, &event.seen) {
        // Of a thread's own share it is not known what belongs to it.
        (Op::Reap { local: false, .. }, Outcome::Reaped { report, .. }) => !report.more,
        _ => false,
    };
    let reaps = |other: &&Event| matches!(other.op, Op::Reap { .. }) && other.overlaps(event);
    // It overlaps itself.
    let searched = |search: &Search| search.began <= event.ended && event.began <= search.ended;
    if !everything || history.events.iter().filter(reaps).count() > 1 || searches.iter().any(searched) {
        return Vec::new();
    }
    let among = |flow| ended.iter().any(|end| end.flow == flow);
    settled(history, event).filter(|&flow| !among(flow)).collect()
}

fn key_of(op: &Op) -> Option<u64> {
    match *op {
        Op::Lookup { key, .. } | Op::Remove { key } => Some(key),
        _ => op.spec().map(|spec| spec.key),
    }
}

/// The flow that `op`, which names no key, is about.
fn flow_of(op: &Op) -> FlowId {
    op.given().unwrap_or_else(|| panic!("{op:?} is not for histories"))
}
