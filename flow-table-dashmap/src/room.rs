use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flow_table_api::Timestamp;

use crate::heap::{Taken, Visit};
use crate::queue::Queue;
use crate::watermark::Watermark;

/// The count of flows and its limit (contract C1). A flow is counted before it goes in and until it is let go.
#[derive(Debug)]
pub(crate) struct Room {
    held: Watermark,
    /// `Relaxed`: a limit of its own, which orders nothing.
    capacity: AtomicUsize,
}

impl Room {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { held: Watermark::default(), capacity: AtomicUsize::new(capacity) }
    }

    pub(crate) const fn held(&self) -> &Watermark {
        &self.held
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    pub(crate) fn set_capacity(&self, flows: usize) {
        self.capacity.store(flows, Ordering::Relaxed);
    }

    /// Counts one flow more, if there is room.
    pub(crate) fn reserve(&self) -> bool {
        self.held.add_below(|| self.capacity())
    }

    /// Counts one flow more. At capacity, takes flows that have ended or are due at `now` for it, as many as needed, or
    /// none if a bounded search does not find enough (contract C2). `None`: there is no room.
    pub(crate) fn reserve_or_make<K, V>(
        &self,
        now: Timestamp,
        queues: &[Arc<Queue<K, V>>],
    ) -> Option<Vec<Taken<K, V>>> {
        while !self.reserve() {
            // One, unless the limit has been lowered, or somebody has made room this moment.
            let wanted = (self.held.get() + 1).saturating_sub(self.capacity());
            let taken = take_ended(wanted, now, queues)?;
            if !taken.is_empty() {
                // One of those taken makes way for the new flow; the others are no longer counted.
                self.held.sub(taken.len() - 1);
                return Some(taken);
            }
        }
        Some(Vec::new())
    }
}

/// Takes `wanted` flows that have ended or are due, or none.
fn take_ended<K, V>(wanted: usize, now: Timestamp, queues: &[Arc<Queue<K, V>>]) -> Option<Vec<Taken<K, V>>> {
    /// Visits beyond those that find something.
    const SEARCH: usize = 64;
    let mut taken = Vec::new();
    // Queues are locked in the order of the registry, and here alone more than one at a time.
    let mut locked = Vec::new();
    let mut search = SEARCH;
    for queue in queues.iter().filter(|queue| queue.has_due(now)) {
        if taken.len() == wanted || search == 0 {
            break;
        }
        let mut queue = queue.lock();
        while taken.len() < wanted && search > 0 {
            match queue.visit(now) {
                Visit::Ended(flow) => taken.push((locked.len(), flow)),
                Visit::Rescheduled => search -= 1,
                Visit::Nothing => break,
            }
        }
        locked.push(queue);
    }
    if taken.len() < wanted {
        for (queue, flow) in taken {
            locked[queue].put_back(flow);
        }
        return None;
    }
    Some(taken.into_iter().map(|(_, flow)| flow).collect())
}
