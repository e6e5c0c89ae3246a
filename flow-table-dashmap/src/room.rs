use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flow_table_api::Timestamp;

use crate::queue::{Queue, Taken, Visit};

/// The count of flows and its limit (contract C1).
///
/// A flow is counted before it goes in and until it has been let go. `Relaxed` throughout: each change is one atomic
/// step on one counter, which is all that the limit needs, and no other memory is read by its strength.
#[derive(Debug)]
pub(crate) struct Room {
    held: AtomicUsize,
    capacity: AtomicUsize,
    /// The most flows held since memory was given back last.
    peak: AtomicUsize,
}

impl Room {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { held: AtomicUsize::new(0), capacity: AtomicUsize::new(capacity), peak: AtomicUsize::new(0) }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    pub(crate) fn set_capacity(&self, flows: usize) {
        self.capacity.store(flows, Ordering::Relaxed);
    }

    /// Counts one flow more, if there is room.
    pub(crate) fn reserve(&self) -> bool {
        let more = |held: usize| (held < self.capacity()).then(|| held + 1);
        match self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(before) => {
                if before >= self.peak.load(Ordering::Relaxed) {
                    self.peak.fetch_max(before + 1, Ordering::Relaxed);
                }
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn give_back(&self, flows: usize) {
        self.held.fetch_sub(flows, Ordering::Relaxed);
    }

    /// Whether less than half of the flows are left that there were when memory was given back last. Says so once.
    pub(crate) fn has_emptied(&self) -> bool {
        const SMALL: usize = 64;
        let (held, peak) = (self.held(), self.peak.load(Ordering::Relaxed));
        peak >= SMALL
            && held < peak / 2
            && self.peak.compare_exchange(peak, held, Ordering::Relaxed, Ordering::Relaxed).is_ok()
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
            let wanted = (self.held() + 1).saturating_sub(self.capacity());
            let taken = take_ended(wanted, now, queues)?;
            if !taken.is_empty() {
                // One of those taken makes way for the new flow; the others are no longer counted.
                self.give_back(taken.len() - 1);
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
