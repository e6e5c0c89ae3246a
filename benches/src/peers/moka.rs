use std::time::Duration;

use flow_table::{KeyHasher, Timestamp};
use moka::sync::Cache;

use super::{Map, Shared};
use crate::Workload;
use crate::data::Key;

/// [`moka::sync::Cache`] with idle expiry, by the system's clock, and twice the room that is needed, so that it
/// evicts nothing. A look-up moves its idle timer, so nothing else is refreshed.
pub struct Moka(Cache<Key, Shared, KeyHasher>);

const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

impl Map for Moka {
    fn new(_: usize, capacity: usize) -> Self {
        let builder = Cache::builder().max_capacity(2 * capacity as u64).time_to_idle(IDLE);
        Self(builder.build_with_hasher(KeyHasher::random()))
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        match workload {
            Workload::ReapStorm => Some("it expires by a clock of its own"),
            Workload::BorrowHit | Workload::BorrowHitBatch => Some("it gives out clones only"),
            _ => None,
        }
    }

    #[inline]
    fn insert(&self, key: Key, record: Shared) {
        self.0.insert(key, record);
    }

    #[inline]
    fn get(&self, key: &Key) -> Option<Shared> {
        self.0.get(key)
    }

    #[inline]
    fn hit(&self, key: &Key, _: Timestamp) -> bool {
        self.get(key).is_some()
    }

    #[inline]
    fn remove(&self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    fn visit(&self) -> usize {
        self.0.iter().count()
    }

    /// The cache counts late. This makes it catch up.
    fn held(&self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}
