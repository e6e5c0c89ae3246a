use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::{FlowId, Op, Outcome, View};

/// An operation that ran between two readings of a common counter.
///
/// A batch of look-ups is as many events with one interval, and so is a burst's.
#[derive(Clone, Debug)]
pub struct Event {
    /// The thread that did it.
    pub thread: usize,
    /// What was done.
    pub op: Op,
    /// What it returned.
    pub seen: Outcome,
    /// The reading before it was called.
    pub began: usize,
    /// The reading after it had returned.
    pub ended: usize,
}

impl Event {
    /// Whether this was over before `other` began.
    pub const fn precedes(&self, other: &Self) -> bool {
        self.ended < other.began
    }

    /// Whether the two ran at the same time for a while.
    pub const fn overlaps(&self, other: &Self) -> bool {
        !self.precedes(other) && !other.precedes(self)
    }

    /// The flow that this operation put into the table, if it did.
    pub const fn installed(&self) -> Option<FlowId> {
        use crate::model::Admitted::New;

        match (&self.op, &self.seen) {
            (
                Op::Insert { flow, .. } | Op::InsertIfAbsent { flow, .. } | Op::GetOrInsertWith { flow, .. },
                Outcome::Inserted(Ok(New { .. })),
            ) => Some(flow.id),
            (Op::Reinsert { flow, .. }, Outcome::Inserted(Ok(New { .. }))) => Some(*flow),
            _ => None,
        }
    }
}

/// What threads did to a table that was empty before and is empty now.
#[derive(Clone, Debug)]
pub struct History {
    /// Each operation, in any order.
    pub events: Vec<Event>,
    /// The limit, all the time.
    pub capacity: usize,
    /// What could be seen in the end; of the counters, what this history added.
    pub end: View,
}

impl History {
    /// How many operations ran at the same time as one of another thread.
    pub fn concurrent(&self) -> usize {
        let meets = |event: &Event, other: &Event| event.thread != other.thread && event.overlaps(other);
        let among = |event| self.events.iter().any(|other| meets(event, other));
        self.events.iter().filter(|event| among(event)).count()
    }
}

/// Stamps the events of all threads of one history.
#[derive(Debug, Default)]
pub struct Recorder(AtomicUsize);

impl Recorder {
    /// A reading, later than all before it.
    pub fn tick(&self) -> usize {
        // SeqCst: the readings of all threads are of one order, which the operations cannot leave.
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
