use super::position::BlockNumber;
use super::tick::Bucket;
use crate::memory::{AllocError, try_box};

/// The buckets of one level of the wheel: the last block of each, and a bit for each occupied one.
pub(super) struct Level {
    occupied: [u64; WORDS],
    tails: [Option<BlockNumber>; Bucket::PER_LEVEL],
}

const WORDS: usize = Bucket::PER_LEVEL / 64;

impl Level {
    pub(super) fn new() -> Result<Box<Self>, AllocError> {
        try_box(Self { occupied: [0; WORDS], tails: [None; Bucket::PER_LEVEL] })
    }

    /// The first occupied bucket at or after `digit`, going round.
    #[inline]
    pub(super) fn first_from(&self, digit: usize) -> Option<usize> {
        let word = digit / 64;
        let ahead = self.occupied[word] & u64::MAX << (digit % 64);
        if ahead != 0 {
            return Some(word * 64 + ahead.trailing_zeros() as usize);
        }
        // The word of `digit` comes again as the last one, for the bits before the digit.
        let words = (word + 1..=word + WORDS).map(|word| word % WORDS);
        let found = words.map(|word| (word, self.occupied[word])).find(|(_, bits)| *bits != 0);
        found.map(|(word, bits)| word * 64 + bits.trailing_zeros() as usize)
    }

    /// The last occupied bucket before `digit`, going round.
    pub(super) fn last_before(&self, digit: usize) -> Option<usize> {
        let before = (1..=Bucket::PER_LEVEL).map(|back| (digit + Bucket::PER_LEVEL - back) % Bucket::PER_LEVEL);
        before.into_iter().find(|digit| self.tails[*digit].is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.occupied == [0; WORDS]
    }

    /// The last block of a bucket; `None` if the bucket is empty.
    #[inline]
    pub(super) fn tail(&self, digit: usize) -> Option<BlockNumber> {
        self.tails[digit]
    }

    #[inline]
    pub(super) fn set_tail(&mut self, digit: usize, tail: Option<BlockNumber>) {
        self.tails[digit] = tail;
        let bit = 1 << (digit % 64);
        if tail.is_some() {
            self.occupied[digit / 64] |= bit;
        } else {
            self.occupied[digit / 64] &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn occupied_buckets_are_found_all_the_way_round(
            occupied in proptest::collection::btree_set(0..Bucket::PER_LEVEL, 0..5),
            from in 0..Bucket::PER_LEVEL,
        ) {
            let mut level = Level::new().expect("there is memory");
            occupied.iter().for_each(|digit| level.set_tail(*digit, Some(BlockNumber::from_index(0))));
            let first = occupied.range(from..).next().or(occupied.first());
            let last = occupied.range(..from).next_back().or(occupied.last());
            prop_assert_eq!(level.first_from(from), first.copied());
            prop_assert_eq!(level.last_before(from), last.copied());
            prop_assert_eq!(level.is_empty(), occupied.is_empty());
            occupied.iter().for_each(|digit| level.set_tail(*digit, None));
            prop_assert!(level.is_empty() && level.first_from(from).is_none());
        }
    }
}
