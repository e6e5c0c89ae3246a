use crossbeam::utils::CachePadded;

use crate::sync::{AtomicUsize, Ordering};

/// P12. The number of flows that the table holds, and its limit. Room is reserved before a flow is installed and given back after the
/// table has let it go, so the number is never above the limit at which room was reserved.
///
/// Relaxed throughout: the number is exact by atomicity, and orders nothing; flows are published by other words.
pub(crate) struct Capacity {
    held: CachePadded<AtomicUsize>,
    limit: AtomicUsize,
}

impl Capacity {
    pub(crate) fn new(limit: usize) -> Self {
        Self { held: CachePadded::new(AtomicUsize::new(0)), limit: AtomicUsize::new(limit) }
    }

    /// Room for one flow, if there is any.
    #[inline]
    pub(crate) fn reserve(&self) -> bool {
        let limit = self.limit();
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| (held < limit).then(|| held + 1))
            .is_ok()
    }

    /// The table holds `flows` flows less, or did not need the room.
    #[inline]
    pub(crate) fn give_back(&self, flows: usize) {
        self.held.fetch_sub(flows, Ordering::Relaxed);
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }
}
