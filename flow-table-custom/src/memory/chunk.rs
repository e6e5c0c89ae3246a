use std::ops::Range;

/// Pages of a chunk.
pub(super) const PAGES: u32 = 32;

/// log2 of the longest run of pages: a whole chunk.
pub(super) const MAX_RUN_LOG2: u32 = PAGES.ilog2();

/// Where runs of each length may start: at multiples of it.
const STARTS: [u32; MAX_RUN_LOG2 as usize + 1] =
    [0xffff_ffff, 0x5555_5555, 0x1111_1111, 0x0101_0101, 0x0001_0001, 0x0000_0001];

/// Which pages of a chunk are free, which of those may hold memory of the system, and what was kept of each.
///
/// ```text
///  a page that is     free  dirty
///  in use              0     0
///  free, clean         1     0     reads as zeros
///  free, dirty         1     1     keeps its last contents
/// ```
pub(super) struct ChunkPages {
    free: u32,
    dirty: u32,
    /// The pages there are: every one, except in the last chunk of a pool.
    all: u32,
    /// Backed by a huge page: touching one page of a clean chunk makes them all resident.
    huge: bool,
    kept: [u32; PAGES as usize],
}

/// The pages of a run.
const fn run(first: u32, log2: u32) -> u32 {
    (u32::MAX >> (PAGES - (1 << log2))) << first
}

/// The first pages of those aligned runs that lie in `pages` as a whole.
fn aligned_runs(mut pages: u32, log2: u32) -> u32 {
    for doubling in 0..log2 {
        pages &= pages >> (1 << doubling);
    }
    pages & STARTS[log2 as usize]
}

impl ChunkPages {
    /// A new chunk, with its first `pages` pages free and clean.
    pub(super) fn new(pages: u32, huge: bool) -> Self {
        let all = u32::MAX >> (PAGES - pages);
        Self { free: all, dirty: 0, all, huge, kept: [0; PAGES as usize] }
    }

    pub(super) fn in_use(&self) -> usize {
        (self.all & !self.free).count_ones() as usize
    }

    pub(super) fn dirty(&self) -> usize {
        self.dirty.count_ones() as usize
    }

    pub(super) fn is_free(&self) -> bool {
        self.free == self.all
    }

    /// log2 of the longest run that can be taken, plus one; zero if there is none.
    pub(super) fn longest_run(&self) -> u8 {
        let fits = |log2: &u32| aligned_runs(self.free, *log2) != 0;
        (0..=MAX_RUN_LOG2).rev().find(fits).map_or(0, |log2| log2 as u8 + 1)
    }

    /// Takes the lowest run of `1 << log2` pages, which must exist; returns its first page, and the largest of what was
    /// kept of its pages.
    pub(super) fn take(&mut self, log2: u32) -> (u32, u32) {
        let first = aligned_runs(self.free, log2).trailing_zeros();
        if self.huge && self.is_free() && self.dirty == 0 {
            self.dirty = self.all;
        }
        self.free &= !run(first, log2);
        self.dirty &= self.free;
        let kept = &self.kept[first as usize..][..1 << log2];
        (first, kept.iter().copied().max().unwrap_or(0))
    }

    /// Frees pages that are in use.
    pub(super) fn put(&mut self, first: u32, log2: u32, keep: u32) {
        let pages = run(first, log2);
        debug_assert_eq!(pages & (self.free | !self.all), 0, "freed pages that are not in use");
        self.free |= pages;
        self.dirty |= pages;
        self.kept[first as usize..][..1 << log2].fill(keep);
    }

    /// The longest stretches of free pages that have a dirty one: one call of the system for each makes all clean.
    pub(super) fn dirty_stretches(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let (mut free, dirty) = (self.free, self.dirty);
        std::iter::from_fn(move || {
            let start = (free != 0).then(|| free.trailing_zeros())?;
            let end = start + (free >> start).trailing_ones();
            free &= u32::MAX.checked_shl(end).unwrap_or(0);
            Some(start..end)
        })
        .filter(move |stretch| dirty >> stretch.start << stretch.start & (u32::MAX >> (PAGES - stretch.end)) != 0)
    }

    pub(super) fn set_clean(&mut self) {
        self.dirty = 0;
    }
}

#[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
mod tests {
    use super::*;
    use crate::memory::tests::config;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn aligned_runs_agree_with_their_definition(pages: u32, log2 in 0..=MAX_RUN_LOG2) {
            let expected = (0..PAGES)
                .filter(|first| first.is_multiple_of(1 << log2))
                .filter(|first| (*first..first + (1 << log2)).all(|page| pages >> page & 1 == 1))
                .fold(0, |starts, first| starts | 1 << first);
            prop_assert_eq!(aligned_runs(pages, log2), expected);
        }

        #[test]
        fn dirty_stretches_cover_the_dirty_pages_and_none_in_use(free: u32, dirty: u32) {
            let dirty = dirty & free;
            let chunk = ChunkPages { free, dirty, ..ChunkPages::new(PAGES, false) };
            let mut covered = 0_u32;
            for stretch in chunk.dirty_stretches() {
                let pages = stretch.clone().fold(0, |pages, page| pages | 1 << page);
                prop_assert_eq!(pages & (covered | covered << 1 | !free), 0, "overlaps, touches or is in use");
                prop_assert_ne!(pages & dirty, 0);
                covered |= pages;
            }
            prop_assert_eq!(dirty & !covered, 0);
        }
    }

    #[test]
    fn the_first_page_of_a_huge_chunk_makes_all_resident() {
        let mut chunk = ChunkPages::new(PAGES, true);
        chunk.take(0);
        assert_eq!((chunk.in_use(), chunk.dirty()), (1, 31));
        chunk.set_clean();
        chunk.take(0);
        assert_eq!((chunk.in_use(), chunk.dirty()), (2, 0), "the huge page is split by now");
    }
}
