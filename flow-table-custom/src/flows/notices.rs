//! Notices about flows that ended without their shard's lock, for the next reap to find. There is a bit for
//! each place of a page, above it a bit for each page of the shard (shared by pages whose numbers are equal
//! modulo [`SLOTS`]), and above these a summary. Notices take no memory of their own, and leaving one waits for
//! no other thread.
//!
//! # Ground rules
//!
//! * P9. A notice says that a flow at this place may have ended. The reap checks this under the shard's lock.
//!   So it does no harm if two notices are left about one place, or if the flow has come back or is gone.
//! * Any thread may leave notices. It sets the three bits from below, all of them itself, so that its notice is
//!   complete when it returns, however long other threads are held up. The holder of the shard's lock clears
//!   bits from above, and looks below a bit after it has cleared it. All of this is sequentially consistent. If
//!   a bit is set below one that is being cleared, either the reap sees the bit below, or the bit above is set
//!   again.
//! * A thread that leaves a notice has a reference to the flow or an open burst that saw it, so the page stays
//!   in its shard until the notice is left. The page may have gone to another shard since; the reap looks only
//!   at pages that its shard owns.

use crate::ids::EntryIndex;
use crate::sync::{AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;

/// Words of bits for the places of a page.
const PAGE_WORDS: usize = if cfg!(flow_table_loom) { 1 } else { EntryIndex::PLACES / BITS };

/// Words of bits for the pages of a shard.
const WORDS: usize = if cfg!(flow_table_loom) { 1 } else { BITS };

/// Pages whose numbers are equal modulo this share a bit.
pub(crate) const SLOTS: usize = WORDS * BITS;

/// The notices of a page, in its header.
pub(crate) struct PageNotices([AtomicU64; PAGE_WORDS]);

/// The upper two levels of notices, in the shard.
pub(crate) struct Notices {
    summary: AtomicU64,
    slots: [AtomicU64; WORDS],
}

fn set(words: &[AtomicU64], bit: usize) {
    // SeqCst: see the ground rules. Releases the flow's end to `clear`.
    words[bit / BITS].fetch_or(1 << (bit % BITS), Ordering::SeqCst);
}

/// Clears a bit. Returns `true` if the word has no bits left.
fn clear(words: &[AtomicU64], bit: usize) -> bool {
    let bits = 1 << (bit % BITS);
    // SeqCst: see the ground rules. Acquires `set`, so the flow's end is visible.
    words[bit / BITS].fetch_and(!bits, Ordering::SeqCst) & !bits == 0
}

fn first(words: &[AtomicU64]) -> Option<usize> {
    words.iter().zip((0..).step_by(BITS)).find_map(|(word, at)| {
        // SeqCst: see the ground rules.
        let word = word.load(Ordering::SeqCst);
        (word != 0).then(|| at + word.trailing_zeros() as usize)
    })
}

impl PageNotices {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Returns `true` if there is no notice.
    pub(crate) fn is_empty(&self) -> bool {
        first(&self.0).is_none()
    }

    /// Takes one of the notices and returns its place. Call it under the shard's lock.
    pub(crate) fn take(&self) -> Option<u32> {
        let place = first(&self.0)?;
        clear(&self.0, place);
        Some(place as u32)
    }
}

impl Notices {
    pub(crate) fn new() -> Self {
        Self { summary: AtomicU64::new(0), slots: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Returns `true` if there is no notice.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // SeqCst: comes after `DueTimes::settle` (see `due`).
        self.summary.load(Ordering::SeqCst) == 0
    }

    /// Leaves a notice that the flow at `place` of a page has ended.
    pub(crate) fn leave(&self, number: u32, page: &PageNotices, place: u32) {
        set(&page.0, place as usize);
        self.put(number as usize % SLOTS);
    }

    /// Marks the pages of `slot` as having notices.
    pub(crate) fn put(&self, slot: usize) {
        set(&self.slots, slot);
        set(std::slice::from_ref(&self.summary), slot / BITS);
    }

    /// Takes one of the slots whose pages may have notices. Look there next. Call it under the shard's lock.
    pub(crate) fn take(&self) -> Option<usize> {
        loop {
            let summary = std::slice::from_ref(&self.summary);
            let word = first(summary)?;
            let slot = first(&self.slots[word..=word]).map(|bit| word * BITS + bit);
            if slot.is_none_or(|slot| clear(&self.slots, slot)) {
                clear(summary, word);
                if first(&self.slots[word..=word]).is_some() {
                    set(summary, word);
                }
            }
            if slot.is_some() {
                return slot;
            }
        }
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    /// Numbers of pages: two of them share a slot.
    const NUMBERS: [u32; 4] = [0, 5, 4_100, 4_101];

    proptest! {
        /// However notices are left and taken, each place that has one is returned once.
        #[test]
        fn each_notice_is_told_once(steps in prop::collection::vec((0usize..4, 0u32..1024, 0usize..3), 0..200)) {
            let (notices, pages): (_, [_; 4]) = (Notices::new(), std::array::from_fn(|_| PageNotices::new()));
            let mut left = BTreeSet::new();
            for (page, place, budget) in steps {
                if budget > 0 {
                    let Some(slot) = notices.take() else {
                        prop_assert!(left.is_empty() && notices.is_empty());
                        continue;
                    };
                    let is_of_slot = |&page: &usize| NUMBERS[page] as usize % SLOTS == slot;
                    let mut of_slot: Vec<_> = (0..4).filter(is_of_slot).collect();
                    of_slot.retain(|&page| {
                        let taken: Vec<_> = std::iter::from_fn(|| pages[page].take()).take(budget).collect();
                        taken.into_iter().for_each(|place| assert!(left.remove(&(page, place))));
                        !pages[page].is_empty()
                    });
                    if !of_slot.is_empty() {
                        notices.put(slot);
                    }
                } else {
                    notices.leave(NUMBERS[page], &pages[page], place);
                    left.insert((page, place));
                    prop_assert!(!notices.is_empty());
                }
            }
        }
    }
}
