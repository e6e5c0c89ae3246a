//! Statistics of a shard.

use crate::flows::Locked;
use crate::sync::{AtomicU64, Ordering};

/// The counters of a shard. Relaxed throughout: they order nothing.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) inserts: Counter,
    pub(crate) refusals: Counter,
    pub(crate) expired: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) removed: Counter,
    pub(crate) replaced: Counter,
    pub(crate) evicted: Counter,
}

/// One counter.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        // Relaxed: see `Counters`.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// As [`add`](Self::add), for counters that only change under the shard's lock.
    #[inline]
    pub(super) fn add_locked(&self, _: &mut Locked, count: u64) {
        // Relaxed: see `Counters`.
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: see `Counters`.
        self.0.load(Ordering::Relaxed)
    }
}
