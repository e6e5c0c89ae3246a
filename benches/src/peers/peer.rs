use flow_table::{Timeout, Timestamp};

use super::record::{Record, Shared};
use crate::Workload;
use crate::data::Key;
use crate::subject::Subject;

/// A map or cache of counted records. The adapter handles the record's deadline, except in [`hit`](Self::hit).
pub trait Map: Send + Sync + Sized + 'static {
    /// Makes an empty map in which about `flows` records stay, with room for `capacity`.
    fn new(flows: usize, capacity: usize) -> Self;

    /// The reason why it cannot run `workload`, besides the workloads that [no peer can](Peer::cannot) run.
    fn cannot(_: Workload) -> Option<&'static str> {
        None
    }

    /// Inserts or replaces a record.
    fn insert(&self, key: Key, record: Shared);

    /// Returns a counted reference.
    fn get(&self, key: &Key) -> Option<Shared>;

    /// Looks the key up, counts a reference and moves the deadline. Returns `true` if the record was live.
    #[inline]
    fn hit(&self, key: &Key, now: Timestamp) -> bool {
        self.get(key).is_some_and(|record| record.refresh(now))
    }

    /// Passes the record of each key to `visit`, by reference if the map can. Returns how often `visit` returned
    /// `true`.
    fn look(&self, keys: &[Key], mut visit: impl FnMut(usize, Option<&Record>) -> bool) -> usize {
        let looked = keys.iter().enumerate();
        looked.filter(|(position, key)| visit(*position, self.get(key).as_deref())).count()
    }

    /// Removes a record. Returns `true` if there was one.
    fn remove(&self, key: &Key) -> bool;

    /// Keeps only the records for which `keep` returns `true`.
    fn retain(&self, _keep: impl FnMut(&Record) -> bool) {
        unreachable!("the map declined the workload")
    }

    /// The number of records, counted one by one.
    fn visit(&self) -> usize;

    /// The number of records.
    fn held(&self) -> usize;
}

/// A map as a subject.
pub struct Peer<M>(M);

impl<M: Map> Subject for Peer<M> {
    type Scratch = ();

    fn new(flows: usize, capacity: usize) -> Self {
        Self(M::new(flows, capacity))
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        match workload {
            Workload::ReapIdle => Some("it has no timers that a caller's clock drives"),
            Workload::NatPair => Some("it cannot insert under two keys at once"),
            Workload::Flood => Some("it refuses nothing at a capacity"),
            _ => M::cannot(workload),
        }
    }

    #[inline]
    fn insert(&self, key: Key, timeout: Timeout, now: Timestamp) {
        self.0.insert(key, Record::shared(&key, timeout, now));
    }

    #[inline]
    fn hit(&self, key: &Key, now: Timestamp) -> bool {
        self.0.hit(key, now)
    }

    #[inline]
    fn borrow(&self, keys: &[Key], now: Timestamp) -> usize {
        self.0.look(keys, |_, record| record.is_some_and(|record| record.refresh(now)))
    }

    #[inline]
    fn packets(&self, keys: &[Key], now: Timestamp, missing: &mut Vec<usize>, (): &mut ()) {
        self.0.look(keys, |position, record| {
            let live = record.is_some_and(|record| record.refresh(now));
            if !live {
                missing.push(position);
            }
            live
        });
    }

    #[inline]
    fn find(&self, key: &Key, _: Timestamp) -> bool {
        self.0.get(key).is_some()
    }

    #[inline]
    fn expire(&self, due: &[Key], _: Timestamp) -> usize {
        due.iter().filter(|key| self.0.remove(key)).count()
    }

    fn reap(&self, now: Timestamp) -> usize {
        let mut reaped = 0;
        self.0.retain(|record| {
            let live = record.is_live(now);
            reaped += usize::from(!live);
            live
        });
        reaped
    }

    fn visit(&self) -> usize {
        self.0.visit()
    }

    fn held(&self) -> usize {
        self.0.held()
    }
}
