use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        // Relaxed: a statistic, which orders nothing.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened to the flows of one queue.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) inserts: Count,
    pub(crate) expired: Count,
    pub(crate) cancelled: Count,
    pub(crate) removed: Count,
    pub(crate) replaced: Count,
    pub(crate) evicted: Count,
}
