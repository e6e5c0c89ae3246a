//! One cache line of the hash table: twelve slots.
//!
//! ```text
//!  byte 0            12         13      16                              64
//! +-----------------+----------+-------+-------------------------------+
//! | tags, 12 × 8    | overflow |   –   | slots, 12 × 32                |
//! +-----------------+----------+-------+-------------------------------+
//! ```
//!
//! A tag of zero means an empty slot. `overflow` counts the flows that were put further on because this bucket
//! was full when they came. A look-up that finds it zero need not go on to the next bucket. (All tags are
//! compared at once as in Google's Swiss table; counting overflows comes from Facebook's F14.)
//!
//! # Ground rules
//!
//! * Only the holder of the shard's lock stores. Readers hold no lock.
//! * A slot is stored before its tag, and both with `Release`. So a reader that sees the tag (`Acquire`) sees a
//!   slot that is at least as new: that flow's, that of a later flow, or an empty one.
//! * All-zero memory is an empty bucket.

use super::slot::Slot;
use crate::hash::Tag;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Slots in a bucket.
pub(crate) const SLOTS: usize = 12;

const OVERFLOW_SHIFT: u32 = 32;
const OVERFLOW_MAX: u64 = u8::MAX as u64;

/// See the module.
#[repr(C, align(64))]
pub(crate) struct Bucket {
    tags: [AtomicU64; 2],
    slots: [AtomicU32; SLOTS],
}

/// The tags and the overflow count of a bucket. Each half was read at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Tags([u64; 2]);

/// A set of slots of one bucket: an iterator over their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotSet(u32);

impl Iterator for SlotSet {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

impl Tags {
    const ALL: u32 = (1 << SLOTS) - 1;

    #[inline]
    fn equal_to(self, byte: u8) -> SlotSet {
        #[cfg(all(target_arch = "x86_64", not(any(miri, flow_table_portable))))]
        let equal = simd::equal_bytes(self.0, byte);
        #[cfg(any(not(target_arch = "x86_64"), miri, flow_table_portable))]
        let equal = portable::equal_bytes(self.0, byte);
        SlotSet(equal & Self::ALL)
    }

    /// The slots with this tag.
    #[inline]
    pub(crate) fn matching(self, tag: Tag) -> SlotSet {
        self.equal_to(tag.get())
    }

    /// The empty slots.
    #[inline]
    pub(crate) fn empty(self) -> SlotSet {
        self.equal_to(0)
    }

    /// The slots in use.
    #[inline]
    pub(crate) fn used(self) -> SlotSet {
        SlotSet(!self.empty().0 & Self::ALL)
    }

    /// Returns `true` if flows passed this bucket and were put further on.
    #[inline]
    pub(crate) const fn overflows(self) -> bool {
        self.0[1] >> OVERFLOW_SHIFT & OVERFLOW_MAX != 0
    }
}

impl Bucket {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self { tags: [AtomicU64::new(0), AtomicU64::new(0)], slots: std::array::from_fn(|_| AtomicU32::new(0)) }
    }

    /// The tags now.
    #[inline]
    pub(crate) fn tags(&self) -> Tags {
        // Acquire: pairs with `set_tag`, so that `slot` reads an entry at least as new.
        Tags([self.tags[0].load(Ordering::Acquire), self.tags[1].load(Ordering::Acquire)])
    }

    /// The contents of the slot with this number, whatever its tag is.
    #[inline]
    pub(crate) fn slot(&self, number: usize) -> Option<Slot> {
        // Acquire: pairs with the Release in `put`, so that the entry is initialised for the reader as for the
        // writer.
        Slot::from_bits(self.slots[number].load(Ordering::Acquire))
    }

    /// Fills or overwrites a slot. Call it under the shard's lock.
    #[inline]
    pub(crate) fn put(&self, number: usize, tag: Tag, slot: Slot) {
        // Release: pairs with `slot` and `tags`.
        self.slots[number].store(slot.to_bits(), Ordering::Release);
        self.set_tag(number, tag.get());
    }

    /// Fills an empty slot. Call it under the shard's lock.
    #[inline]
    pub(crate) fn fill(&self, number: usize, tag: Tag, slot: Slot) {
        self.slots[number].store(slot.to_bits(), Ordering::Release);
        let word = &self.tags[number / 8];
        // As in `put` and `set_tag`; the tag was zero.
        word.store(word.load(Ordering::Relaxed) | u64::from(tag.get()) << (number % 8 * 8), Ordering::Release);
    }

    /// Empties a slot. Call it under the shard's lock.
    #[inline]
    pub(crate) fn clear(&self, number: usize) {
        self.set_tag(number, 0);
    }

    #[inline]
    fn set_tag(&self, number: usize, tag: u8) {
        let (half, shift) = (number / 8, number % 8 * 8);
        // Relaxed: only the holder of the lock stores. Release: pairs with `tags`.
        let word = self.tags[half].load(Ordering::Relaxed);
        let word = word & !(0xff << shift) | u64::from(tag) << shift;
        self.tags[half].store(word, Ordering::Release);
    }

    /// The number of flows that passed this bucket, or `None` if the count is stuck. Call it under the shard's
    /// lock.
    pub(crate) fn overflow(&self) -> Option<u64> {
        // Relaxed: only the holder of the lock stores.
        let count = self.tags[1].load(Ordering::Relaxed) >> OVERFLOW_SHIFT & OVERFLOW_MAX;
        (count < OVERFLOW_MAX).then_some(count)
    }

    /// Counts one more flow that passed this bucket. At the maximum, the count is stuck. Call it under the
    /// shard's lock.
    pub(crate) fn count_overflow(&self) {
        self.change_overflow(|count| (count + 1).min(OVERFLOW_MAX));
    }

    /// Counts one flow less that passed this bucket, unless the count is stuck. Call it under the shard's lock.
    pub(crate) fn uncount_overflow(&self) {
        self.change_overflow(|count| if count == OVERFLOW_MAX { count } else { count - 1 });
    }

    fn change_overflow(&self, change: impl Fn(u64) -> u64) {
        let word = self.tags[1].load(Ordering::Relaxed);
        let count = change(word >> OVERFLOW_SHIFT & OVERFLOW_MAX);
        let word = word & !(OVERFLOW_MAX << OVERFLOW_SHIFT) | count << OVERFLOW_SHIFT;
        // Release: pairs with `tags`, as in `set_tag`.
        self.tags[1].store(word, Ordering::Release);
    }

    /// Empties the bucket for the next use of its memory. Call it under the shard's lock.
    pub(crate) fn reset(&self) {
        // Release: a reader that still looks here and misses (Acquire in `tags` and `slot`) then sees the new
        // version of the segment.
        self.tags.iter().for_each(|tags| tags.store(0, Ordering::Release));
        self.slots.iter().for_each(|slot| slot.store(0, Ordering::Release));
    }
}

#[cfg(all(target_arch = "x86_64", any(test, not(flow_table_portable))))]
mod simd {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};

    /// Sets bit i if byte i equals `byte`. Every x86-64 has SSE2.
    #[inline]
    pub(super) fn equal_bytes(words: [u64; 2], byte: u8) -> u32 {
        // SAFETY: the instructions are part of SSE2, which every x86-64 has; they touch no memory.
        unsafe {
            let bytes = _mm_set_epi64x(words[1] as i64, words[0] as i64);
            _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))) as u32
        }
    }
}

#[cfg(any(all(test, not(flow_table_loom)), not(target_arch = "x86_64"), miri, flow_table_portable))]
mod portable {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;

    /// Sets bit i if byte i equals `byte`.
    pub(super) fn equal_bytes(words: [u64; 2], byte: u8) -> u32 {
        let half = |word: u64| {
            let differs = word ^ (LOW * u64::from(byte));
            // The top bit of each byte is set if the byte is zero. No carry passes between bytes.
            let zero = !(((differs & SEVEN) + SEVEN) | differs | SEVEN) >> 7;
            // Gathers the eight bits at 0, 8, …, 56 into the top byte.
            (zero.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
        };
        half(words[0]) | half(words[1]) << 8
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn portable_agrees_with_the_definition(bytes: [u8; 16], byte: u8) {
            let words = [0, 8].map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()));
            for sought in [byte, bytes[3], bytes[12], 0] {
                let expected = (0..16).filter(|&i| bytes[i] == sought).fold(0, |set, i| set | 1 << i);
                prop_assert_eq!(portable::equal_bytes(words, sought), expected);
                #[cfg(target_arch = "x86_64")]
                prop_assert_eq!(simd::equal_bytes(words, sought), expected);
            }
        }

        #[test]
        fn slots_are_independent(puts in prop::collection::vec((0..SLOTS, 0u8.., 1u32..1000), 0..40)) {
            let bucket = Bucket::new();
            let mut model = [None; SLOTS];
            for (number, tag, bits) in puts {
                match Tag::from_bits(tag) {
                    Some(tag) => bucket.put(number, tag, Slot::from_bits(bits).unwrap()),
                    None => bucket.clear(number),
                }
                model[number] = Tag::from_bits(tag).map(|tag| (tag, bits));
                bucket.count_overflow();
                for (number, expected) in model.iter().enumerate() {
                    let tags = bucket.tags();
                    prop_assert!(tags.overflows());
                    match expected {
                        Some((tag, bits)) => {
                            prop_assert!(tags.matching(*tag).any(|slot| slot == number));
                            prop_assert_eq!(bucket.slot(number), Slot::from_bits(*bits));
                        }
                        None => prop_assert!(tags.empty().any(|slot| slot == number)),
                    }
                }
            }
        }
    }

    #[test]
    fn overflow_counts_and_sticks() {
        let bucket = Bucket::new();
        bucket.count_overflow();
        bucket.count_overflow();
        bucket.uncount_overflow();
        assert!(bucket.tags().overflows());
        bucket.uncount_overflow();
        assert!(!bucket.tags().overflows());
        for _ in 0..300 {
            bucket.count_overflow();
        }
        for _ in 0..300 {
            bucket.uncount_overflow();
        }
        assert!(bucket.tags().overflows(), "stuck, so that no flow is ever missed");
        bucket.reset();
        assert!(!bucket.tags().overflows());
    }

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }
}
