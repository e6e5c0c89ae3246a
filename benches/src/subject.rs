//! What workloads ask of a table, a peer, or the hardware.

use flow_table::{Timeout, Timestamp};

use crate::Workload;
use crate::data::Key;

/// Something to measure: the operations that workloads are written over.
///
/// An operation that a subject does not have is one that no workload asks it for, as it
/// [says so](Self::cannot).
pub trait Subject: Send + Sync + Sized + 'static {
    /// Memory that batches use again and again; one per thread.
    type Scratch: Default;

    /// An empty one, in which about `flows` flows stay and at most `capacity` find room.
    fn new(flows: usize, capacity: usize) -> Self;

    /// Why it cannot run `workload`, if it cannot.
    fn cannot(workload: Workload) -> Option<&'static str>;

    /// Inserts the flow with this key. Panics if it is refused.
    fn insert(&self, key: Key, timeout: Timeout, now: Timestamp);

    /// Looks the flow up, moves its deadline, lets its handle go; whether it was found live.
    fn hit(&self, key: &Key, now: Timestamp) -> bool;

    /// [`hit`](Self::hit) for a batch; how many were found live. One by one if the subject has no batches.
    fn hit_batch(&self, keys: &[Key], now: Timestamp, _: &mut Self::Scratch) -> usize {
        keys.iter().filter(|key| self.hit(key, now)).count()
    }

    /// [`hit`](Self::hit) for a burst, one by one, without handles.
    fn borrow(&self, _keys: &[Key], _now: Timestamp) -> usize {
        unsupported()
    }

    /// [`borrow`](Self::borrow), but all are looked up at once. One by one if the subject has no batches.
    fn borrow_batch(&self, keys: &[Key], now: Timestamp, _: &mut Self::Scratch) -> usize {
        self.borrow(keys, now)
    }

    /// Looks a burst up in the best way there is, refreshes what is found, and puts the positions of the others
    /// into `missing`, which is empty.
    fn packets(&self, keys: &[Key], now: Timestamp, missing: &mut Vec<usize>, _: &mut Self::Scratch) {
        missing
            .extend(keys.iter().enumerate().filter(|(_, key)| !self.hit(key, now)).map(|(position, _)| position));
    }

    /// Whether a look-up finds the flow; nothing is refreshed.
    fn find(&self, key: &Key, now: Timestamp) -> bool;

    /// [`find`](Self::find) for a batch; how many were found.
    fn find_batch(&self, keys: &[Key], now: Timestamp, _: &mut Self::Scratch) -> usize {
        keys.iter().filter(|key| self.find(key, now)).count()
    }

    /// Expires what is due of this thread's share; how many those are. `due` are the flows that a first-in,
    /// first-out order would expire now, for subjects without timers of their own.
    fn expire(&self, _due: &[Key], _now: Timestamp) -> usize {
        unsupported()
    }

    /// Expires everything that is due; how many those are.
    fn reap(&self, _now: Timestamp) -> usize {
        unsupported()
    }

    /// Inserts the flow unless there is one under its key or no room is to be had; whether it did.
    fn offer(&self, _key: &Key, _timeout: Timeout, _now: Timestamp) -> bool {
        unsupported()
    }

    /// Inserts a flow with two keys. Panics if it is refused.
    fn insert_pair(&self, _key: Key, _reply: Key, _timeout: Timeout, _now: Timestamp) {
        unsupported()
    }

    /// Visits all flows; how many they are.
    fn visit(&self) -> usize {
        unsupported()
    }

    /// The number of flows in it.
    fn held(&self) -> usize;
}

#[cold]
fn unsupported() -> ! {
    unreachable!("the subject declined the workload")
}
