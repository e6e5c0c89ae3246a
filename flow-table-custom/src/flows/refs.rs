//! The reference count of an entry and its generation, in one word.
//!
//! ```text
//!   63   62        32 31             0
//! +------+------------+----------------+
//! | kept | generation |     count      |
//! +------+------------+----------------+
//! ```
//!
//! # Ground rules
//!
//! * Every handle owns one count, and so does the table while it holds the flow. Key and value are initialised
//!   while the count is not zero.
//! * P2, P3. A count is only incremented when it is not zero. So once the count is zero, the thread that
//!   brought it there owns the entry. Nobody can get a reference any more. Only bursts that looked before may
//!   still see the flow (see `bursts`).
//! * The generation is incremented each time the entry is freed, so a weak handle never takes a later flow for
//!   its own.
//! * P15. A flow to which there was ever a weak handle *keeps* its entry: the handle knows no other. The bit is
//!   set by the holder of a reference, and stays until the entry is freed.
//! * All-zero memory is generation 0 and count 0: there is no flow.

use std::process::abort;

use crate::sync::{AtomicU64, Ordering};

/// See the module.
pub(crate) struct RefWord(AtomicU64);

const COUNT_MASK: u64 = u32::MAX as u64;
const KEEPS_ENTRY: u64 = 1 << 63;
const LAST_GENERATION: u32 = i32::MAX as u32;
/// As for `Arc`: a program with so many handles must be leaking them.
const COUNT_MAX: u64 = i32::MAX as u64;

const fn count(word: u64) -> u64 {
    word & COUNT_MASK
}

const fn generation(word: u64) -> u32 {
    (word >> 32) as u32 & LAST_GENERATION
}

impl RefWord {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// For tests: makes an unreferenced entry as old as one that was used so often.
    #[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
    pub(crate) fn age(&self, generation: u32) {
        assert_eq!(self.count(), 0);
        self.0.store(u64::from(generation) << 32, Ordering::Relaxed);
    }

    /// Takes a reference if there is one already. Returns the count before.
    #[inline]
    pub(crate) fn try_acquire(&self) -> Option<u32> {
        self.try_acquire_if(|_| true)
    }

    /// As [`try_acquire`](Self::try_acquire), but only in this generation.
    pub(crate) fn try_acquire_generation(&self, wanted: u32) -> bool {
        self.try_acquire_if(|word| generation(word) == wanted).is_some()
    }

    #[inline]
    fn try_acquire_if(&self, accept: impl Fn(u64) -> bool) -> Option<u32> {
        // Acquire on every load: a count of zero pairs with the `release` that made it so (what replaced the
        // flow is visible then), any other count pairs with `publish` (key and value are visible then).
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if count(word) == 0 || !accept(word) {
                return None;
            }
            if count(word) >= COUNT_MAX {
                abort();
            }
            // SeqCst: before the look at the flow's mark. Pairs with `is_only_reference`.
            match self.0.compare_exchange_weak(word, word + 1, Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => return Some(count(word) as u32),
                Err(current) => word = current,
            }
        }
    }

    /// Takes one more reference. The caller has one.
    #[inline]
    pub(crate) fn clone_one(&self) {
        // Relaxed, as for `Arc`: the caller's own reference already makes everything visible.
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        debug_assert_ne!(count(before), 0, "cloned without a reference");
        if count(before) >= COUNT_MAX {
            abort();
        }
    }

    /// Gives one reference up. Returns `true` if it was the last one.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        // SeqCst: the release half publishes the holder's use of the value to the thread that drops it. The
        // acquire half shows the last holder the use by all others. The total order is for `Bursts::none_open`,
        // which pairs this with `is_referenced`.
        let before = self.0.fetch_sub(1, Ordering::SeqCst);
        debug_assert_ne!(count(before), 0, "released without a reference");
        count(before) == 1
    }

    /// Returns `true` if there is a reference. A burst checks this instead of taking a reference.
    #[inline]
    pub(crate) fn is_referenced(&self) -> bool {
        // SeqCst: after the burst's announcement in the total order (see `bursts`); acquires `publish` too.
        count(self.0.load(Ordering::SeqCst)) != 0
    }

    /// The number of references now.
    pub(crate) fn count(&self) -> u32 {
        // Pairs with `release`, as in `try_acquire`.
        count(self.0.load(Ordering::Acquire)) as u32
    }

    /// Says that the flow must keep its entry. The caller has a reference.
    pub(crate) fn keep_entry(&self) {
        // SeqCst: before the caller's reference is given up. Pairs with `is_only_reference`.
        self.0.fetch_or(KEEPS_ENTRY, Ordering::SeqCst);
    }

    /// Returns `true` if there is one reference, and the flow need not keep its entry.
    pub(crate) fn is_only_reference(&self) -> bool {
        // SeqCst: after the flow was marked, in the total order. A look-up counts its reference and then looks for
        // a mark. So if it has seen none, its reference is counted here.
        let word = self.0.load(Ordering::SeqCst);
        count(word) == 1 && word & KEEPS_ENTRY == 0
    }

    /// The generation. It does not change while the caller has a reference or owns the entry.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        // Relaxed: the caller's reference or lock orders it.
        generation(self.0.load(Ordering::Relaxed))
    }

    /// Makes an unreferenced entry, which the caller owns, referenced `references` times in `generation`.
    #[inline]
    pub(crate) fn publish(&self, generation: u32, references: u32) {
        debug_assert_eq!(self.count(), 0, "published twice");
        // Release: pairs with `try_acquire` and `is_referenced`; key, value and options were written before.
        self.0.store(u64::from(generation) << 32 | u64::from(references), Ordering::Release);
    }

    /// As [`publish`](Self::publish), in the total order: see the ground rules of the models.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn publish_in_total_order(&self, references: u32) {
        self.0.swap(u64::from(self.generation()) << 32 | u64::from(references), Ordering::SeqCst);
    }

    /// Moves an unreferenced entry, which the caller owns, to its next generation as it is freed. Returns
    /// `None` if there is none: the entry must then never be used again.
    pub(crate) fn retire(&self) -> Option<u32> {
        let next = Some(self.generation() + 1).filter(|next| *next <= LAST_GENERATION)?;
        // Relaxed: the lock under which entries are freed and taken orders it. A reader sees count zero before
        // and after.
        self.0.store(u64::from(next) << 32, Ordering::Relaxed);
        Some(next)
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    #[test]
    fn references_are_only_taken_from_references() {
        let word = RefWord::new();
        assert_eq!(word.try_acquire(), None);
        word.publish(7, 1);
        assert_eq!(word.try_acquire(), Some(1));
        word.clone_one();
        assert_eq!(word.count(), 3);
        assert!(!word.release() && !word.release() && word.is_referenced());
        assert!(word.release());
        assert!(word.try_acquire().is_none() && !word.is_referenced());
        assert_eq!(word.generation(), 7);
    }

    #[test]
    fn weak_references_know_their_generation() {
        let word = RefWord::new();
        word.publish(0, 1);
        assert!(word.try_acquire_generation(0));
        assert!(!word.release() && word.release());
        assert_eq!((word.retire(), word.generation(), word.count()), (Some(1), 1, 0));
        word.publish(1, 1);
        assert!(!word.try_acquire_generation(0) && word.try_acquire_generation(1));
    }

    #[test]
    fn who_keeps_an_entry_keeps_it_until_it_is_freed() {
        let word = RefWord::new();
        word.publish(0, 2);
        assert!(!word.is_only_reference());
        assert!(!word.release() && word.is_only_reference());
        word.keep_entry();
        assert!(!word.is_only_reference() && word.count() == 1 && word.generation() == 0);
        assert!(word.release());
        word.publish(word.retire().expect("there are more"), 1);
        assert!(word.is_only_reference());
    }

    #[test]
    fn the_last_generation_is_never_reused() {
        let word = RefWord::new();
        word.publish(LAST_GENERATION, 1);
        assert!(word.release());
        assert_eq!(word.retire(), None);
    }
}
