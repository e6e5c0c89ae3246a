//! The capacity of a table: places for flows that are reserved before use (P12), and the number of dying flows.

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};

/// P12. The number of flows that have a place in the table, and its limit. A place is reserved before a flow is
/// installed and given back after the table has let the flow go. Both numbers are in one word, so no
/// reservation uses a limit that has been lowered in the meantime.
///
/// ```text
///  63            32 31             0
/// +----------------+----------------+
/// |     limit      |      held      |
/// +----------------+----------------+
/// ```
///
/// Relaxed, but for one: the number is exact because it is atomic, and it orders nothing. Flows are published by
/// other words.
pub(crate) struct Capacity {
    word: CachePadded<AtomicU64>,
    /// The limit as it was set. The word holds at most 2³² − 1 of it, which is more than there can be entries.
    limit: AtomicUsize,
    /// Flows that have given up their places and wait for a reap. Insertions that make room bring them up to
    /// the limit at most; flows that could not be handed over are added in any case.
    dying: AtomicUsize,
    /// Held while both limits are set.
    setting: Mutex<()>,
}

const HELD_BITS: u32 = 32;
const HELD_MASK: u64 = u32::MAX as u64;

fn in_word(limit: usize) -> u64 {
    u64::from(u32::try_from(limit).unwrap_or(u32::MAX)) << HELD_BITS
}

impl Capacity {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            word: CachePadded::new(AtomicU64::new(in_word(limit))),
            limit: AtomicUsize::new(limit),
            dying: AtomicUsize::new(0),
            setting: Mutex::new(()),
        }
    }

    /// Returns `true` if there was no room a moment ago.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & HELD_MASK >= word >> HELD_BITS
    }

    /// The number of flows that must go before there is room for one more.
    pub(crate) fn excess(&self) -> usize {
        let word = self.word.load(Ordering::Relaxed);
        ((word & HELD_MASK) + 1).saturating_sub(word >> HELD_BITS) as usize
    }

    /// Reserves a place for one flow, if there is room. Reserve last: a place that is reserved and given back
    /// makes other insertions fail in the meantime.
    #[inline]
    pub(crate) fn reserve(&self) -> bool {
        let more = |word: u64| (word & HELD_MASK < word >> HELD_BITS).then(|| word + 1);
        // SeqCst: whoever sleeps until the next deadline looks here, too. Pairs with `is_empty`.
        self.word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).is_ok()
    }

    /// Reserves a place for one flow and gives the places of `flows` back, in one step. Fails if the limit was
    /// lowered and does not allow the one flow even then.
    pub(crate) fn exchange(&self, flows: usize) -> bool {
        let less = |word: u64| {
            let held = (word & HELD_MASK) - flows as u64;
            (held < word >> HELD_BITS).then_some(word - flows as u64 + 1)
        };
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// What [`reserve`](Self::reserve) must not do: takes a place whatever the limit is by now.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn take_regardless(&self) {
        self.word.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives the places of `flows` flows back.
    #[inline]
    pub(crate) fn give_back(&self, flows: usize) {
        self.word.fetch_sub(flows as u64, Ordering::Relaxed);
    }

    /// Returns `true` if one more flow might have been allowed to die a moment ago.
    pub(crate) fn may_die(&self) -> bool {
        self.dying() < self.limit()
    }

    /// The allowance: counts one more dying flow, unless there are as many as the table may hold. Returns
    /// `true` if it did.
    pub(crate) fn allow_dying(&self) -> bool {
        let limit = self.limit();
        let more = |dying: usize| (dying < limit).then_some(dying + 1);
        self.dying.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Counts one more dying flow, however many there are.
    pub(crate) fn add_dying(&self) {
        self.dying.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts `flows` dying flows less.
    pub(crate) fn sub_dying(&self, flows: usize) {
        self.dying.fetch_sub(flows, Ordering::Relaxed);
    }

    pub(crate) fn dying(&self) -> usize {
        self.dying.load(Ordering::Relaxed)
    }

    pub(crate) fn held(&self) -> usize {
        (self.word.load(Ordering::Relaxed) & HELD_MASK) as usize
    }

    /// Returns `true` if no flow has a place and none is dying.
    pub(crate) fn is_empty(&self) -> bool {
        // SeqCst: see `reserve`.
        self.word.load(Ordering::SeqCst) & HELD_MASK == 0 && self.dying() == 0
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        let _both = self.setting.lock();
        self.limit.store(limit, Ordering::Relaxed);
        let limited = |word: u64| Some(word & HELD_MASK | in_word(limit));
        let _ = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, limited);
    }
}
