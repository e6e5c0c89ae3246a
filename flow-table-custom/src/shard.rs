use crate::dying::Dying;
use crate::notices::Notices;
use crate::segment::Owned;
use crate::slab::Slab;
use crate::switch::Switch;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::timer::TimerQueue;

/// An independently locked part of the table: its entries, their timers, and the segments whose keys' hashes lead here.
pub(crate) struct Shard {
    inner: Mutex<ShardInner>,
    pub(crate) notices: Notices,
    pub(crate) switch: Switch,
    pub(crate) counters: Counters,
}

/// What the lock guards.
pub(crate) struct ShardInner {
    /// One-key flows and two-key flows.
    slabs: [Slab; 2],
    pub(crate) timers: TimerQueue,
    pub(crate) dying: Dying,
    pub(crate) segments: Box<[Owned]>,
    /// Entries in use.
    pub(crate) entries: usize,
    /// The table is gone: whoever frees an entry from now on counts it in the core.
    pub(crate) closed: bool,
}

/// Counters of a shard. Relaxed throughout: they order nothing.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) inserts: Counter,
    pub(crate) refusals: Counter,
    pub(crate) expired: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) removed: Counter,
    pub(crate) replaced: Counter,
}

/// A statistic.
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
    pub(crate) fn add_locked(&self, _: &mut ShardInner, count: u64) {
        // Relaxed: see `Counters`.
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: see `Counters`.
        self.0.load(Ordering::Relaxed)
    }
}

impl Shard {
    pub(crate) fn new(segments: usize) -> Self {
        let inner = ShardInner {
            slabs: Default::default(),
            timers: TimerQueue::new(),
            dying: Dying::default(),
            segments: std::iter::repeat_with(Owned::default).take(segments).collect(),
            entries: 0,
            closed: false,
        };
        Self {
            inner: Mutex::new(inner),
            notices: Notices::new(),
            switch: Switch::new(),
            counters: Counters::default(),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, ShardInner> {
        self.inner.lock()
    }

    /// The lock, if it is free or the caller will `wait`.
    #[inline]
    pub(crate) fn enter(&self, wait: bool) -> Option<MutexGuard<'_, ShardInner>> {
        if wait { Some(self.inner.lock()) } else { self.inner.try_lock() }
    }
}

impl ShardInner {
    /// Bytes on the heap that grow with the flows, but for pages and arrays.
    pub(crate) fn memory(&self) -> usize {
        self.timers.memory() + self.dying.memory() + self.slabs.iter().map(Slab::memory).sum::<usize>()
    }

    /// The entries with one key, or with two.
    #[inline]
    pub(crate) fn slab(&mut self, pair: bool) -> &mut Slab {
        &mut self.slabs[usize::from(pair)]
    }
}
