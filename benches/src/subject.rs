//! What workloads need from a table, a peer, or the hardware.

use std::time::Duration;

use flow_table::{Timeout, Timestamp};

use crate::Workload;
use crate::data::{BURST, Key};

/// Something to measure: the operations that workloads use.
///
/// A subject may lack operations. Then it [says](Self::cannot) which workloads it cannot run. A thread
/// [enters](Self::enter) the subject before it calls operations, and [leaves](Self::leave) it afterwards.
pub trait Subject: Send + Sync + Sized + 'static {
    /// Memory that batches use again and again; one per thread.
    type Scratch: Default;

    /// How long after its deadline a flow may expire: zero if timers are exact.
    const LATE: Duration = Duration::ZERO;

    /// Makes an empty subject in which about `flows` flows stay, with room for at most `capacity`.
    fn new(flows: usize, capacity: usize) -> Self;

    /// The reason why it cannot run `workload`, if it cannot.
    fn cannot(workload: Workload) -> Option<&'static str>;

    /// This thread begins to call operations. It is in no other subject.
    fn enter(&self) {}

    /// This thread has called its last operation for now, and may sleep.
    fn leave(&self) {}

    /// What a dataplane does from time to time while nothing expires: nothing, unless it must.
    fn pause(&self, _now: Timestamp) {}

    /// Does so after each burst of new flows. The number is that of the last one.
    fn pause_after(&self, number: u64, now: Timestamp) {
        if number % BURST as u64 == BURST as u64 - 1 {
            self.pause(now);
        }
    }

    /// Inserts the flow with this key. Panics if it is refused.
    fn insert(&self, key: Key, timeout: Timeout, now: Timestamp);

    /// Looks the flow up, moves its deadline and drops its handle. Returns `true` if it was found live.
    fn hit(&self, key: &Key, now: Timestamp) -> bool;

    /// [`hit`](Self::hit) for a batch. Returns how many were found live. Works one by one if the subject has no
    /// batches.
    fn hit_batch(&self, keys: &[Key], now: Timestamp, _: &mut Self::Scratch) -> usize {
        keys.iter().filter(|key| self.hit(key, now)).count()
    }

    /// [`hit`](Self::hit) for a burst, one by one, without handles.
    fn borrow(&self, _keys: &[Key], _now: Timestamp) -> usize {
        unsupported()
    }

    /// [`borrow`](Self::borrow), but all are looked up at once. Works one by one if the subject has no batches.
    fn borrow_batch(&self, keys: &[Key], now: Timestamp, _: &mut Self::Scratch) -> usize {
        self.borrow(keys, now)
    }

    /// Looks a burst up in the best way that the subject has, refreshes the flows that are found, and adds the
    /// positions of the others to `missing`, which is empty.
    fn packets(&self, keys: &[Key], now: Timestamp, missing: &mut Vec<usize>, _: &mut Self::Scratch) {
        missing
            .extend(keys.iter().enumerate().filter(|(_, key)| !self.hit(key, now)).map(|(position, _)| position));
    }

    /// Returns `true` if a look-up finds the flow. Refreshes nothing.
    fn find(&self, key: &Key, now: Timestamp) -> bool;

    /// [`find`](Self::find) for a batch. Returns how many were found.
    fn find_batch(&self, keys: &[Key], now: Timestamp, _: &mut Self::Scratch) -> usize {
        keys.iter().filter(|key| self.find(key, now)).count()
    }

    /// Expires the flows of this thread's share that are due, and returns their number. `due` are the flows that a
    /// first-in, first-out order would expire now, for subjects without timers.
    fn expire(&self, _due: &[Key], _now: Timestamp) -> usize {
        unsupported()
    }

    /// Expires all flows that are due, and returns their number.
    fn reap(&self, _now: Timestamp) -> usize {
        unsupported()
    }

    /// Inserts the flow, unless there is one under its key or there is no room. Returns `true` if it did.
    fn offer(&self, _key: &Key, _timeout: Timeout, _now: Timestamp) -> bool {
        unsupported()
    }

    /// Inserts a flow with two keys. Panics if it is refused.
    fn insert_pair(&self, _key: Key, _reply: Key, _timeout: Timeout, _now: Timestamp) {
        unsupported()
    }

    /// Visits all flows, and returns their number.
    fn visit(&self) -> usize {
        unsupported()
    }

    /// The number of flows.
    fn held(&self) -> usize;
}

#[cold]
fn unsupported() -> ! {
    unreachable!("the subject declined the workload")
}
