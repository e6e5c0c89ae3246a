//! Sets of page numbers, for slabs.

use crate::memory::{AllocError, try_reserve};

/// A set of page numbers, one bit each. Only [`reserve`](Self::reserve) needs memory.
#[derive(Default)]
pub(crate) struct PageSet {
    words: Vec<u64>,
    /// The words before this one have no members.
    skip: usize,
}

const BITS: usize = u64::BITS as usize;

impl PageSet {
    /// Makes room for a number and all numbers below it.
    pub(crate) fn reserve(&mut self, page: u32) -> Result<(), AllocError> {
        let (len, wanted) = (self.words.len(), page as usize / BITS + 1);
        if wanted > len {
            try_reserve(&mut self.words, wanted - len)?;
            self.words.resize(wanted, 0);
        }
        Ok(())
    }

    /// Adds a number for which there is room.
    pub(crate) fn insert(&mut self, page: u32) {
        let word = page as usize / BITS;
        self.words[word] |= 1 << (page as usize % BITS);
        self.skip = self.skip.min(word);
    }

    pub(crate) fn remove(&mut self, page: u32) {
        self.words[page as usize / BITS] &= !(1 << (page as usize % BITS));
    }

    pub(crate) fn contains(&self, page: u32) -> bool {
        self.words.get(page as usize / BITS).is_some_and(|word| word >> (page as usize % BITS) & 1 != 0)
    }

    /// The members that are `first` plus a multiple of `step`.
    pub(crate) fn every(&self, step: usize, first: usize) -> impl Iterator<Item = u32> + '_ {
        let numbers = (first..self.words.len() * BITS).step_by(step);
        numbers.map(|page| page as u32).filter(|&page| self.contains(page))
    }

    /// The lowest member. Removing members from the lower end costs one step for each word that becomes empty.
    pub(crate) fn first(&mut self) -> Option<u32> {
        let first = self.iter().next();
        self.skip = first.map_or(self.words.len(), |page| page as usize / BITS);
        first
    }

    /// The highest member below `limit`.
    pub(crate) fn last_below(&self, limit: u32) -> Option<u32> {
        let limit = (limit as usize).min(self.words.len() * BITS);
        let below = (1 << (limit % BITS)) - 1;
        let cut = self.words.get(limit / BITS).map(|word| (limit / BITS, word & below));
        let whole = self.words[..limit / BITS].iter().copied().enumerate();
        let last = cut.into_iter().chain(whole.rev()).find(|(_, word)| *word != 0);
        last.map(|(at, word)| (at * BITS) as u32 + word.ilog2())
    }

    /// The members, lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.words.iter().enumerate().skip(self.skip);
        words.flat_map(|(at, &word)| {
            let some = |word: u64| (word != 0).then_some(word);
            let rests = std::iter::successors(some(word), move |word| some(word & (word - 1)));
            rests.map(move |rest| (at * BITS) as u32 + rest.trailing_zeros())
        })
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::memory::refusing;

    proptest! {
        #[test]
        fn agrees_with_an_ordered_set(changes in prop::collection::vec((0..300u32, any::<bool>()), 0..200)) {
            let (mut set, mut model) = (PageSet::default(), BTreeSet::new());
            for (page, insert) in changes {
                set.reserve(page).unwrap();
                if insert {
                    set.insert(page);
                    model.insert(page);
                } else {
                    set.remove(page);
                    model.remove(&page);
                }
                prop_assert_eq!(set.first(), model.first().copied());
                prop_assert!(set.iter().eq(model.iter().copied()));
                for limit in [0, 1, 63, 64, 65, page, 299, u32::MAX] {
                    prop_assert_eq!(set.last_below(limit), model.range(..limit).next_back().copied());
                }
                prop_assert!(set.every(7, 3).eq(model.iter().copied().filter(|page| page % 7 == 3)));
                let agree = |page| set.contains(page) == model.contains(&page);
                prop_assert!([page, 0, 63, 64, 400].into_iter().all(agree));
            }
        }
    }

    #[test]
    fn room_doubles_or_is_what_is_asked_for() {
        let mut set = PageSet::default();
        let mut after = |page| {
            set.reserve(page).unwrap();
            set.memory()
        };
        assert_eq!([after(6_399), after(0), after(6_400), after(40_000)], [800, 800, 1_600, 5_008]);
    }

    #[test]
    fn only_new_room_needs_memory() {
        let mut set = PageSet::default();
        assert_eq!(refusing::after(0, || set.reserve(0)).0, Err(AllocError));
        set.reserve(100).unwrap();
        let ((), enough) = refusing::after(0, || {
            set.reserve(127).unwrap();
            (0..128).for_each(|page| set.insert(page));
            set.remove(0);
        });
        assert!(enough);
        assert!(set.iter().eq(1..128));
    }
}
