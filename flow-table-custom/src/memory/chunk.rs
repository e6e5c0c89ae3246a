use std::alloc::Layout;
use std::ops::Range;
use std::ptr::NonNull;

use super::AllocError;
use super::os::{self, Populated};

/// Bytes of a chunk, and its alignment: the huge page of x86-64 and of AArch64 with small pages of 4 KiB.
pub(super) const CHUNK_BYTES: usize = 2 << 20;

/// Pages of a chunk.
pub(super) const PAGES: u32 = 32;

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = CHUNK_BYTES / PAGES as usize;

/// log2 of the longest run of pages: a whole chunk.
pub(super) const MAX_RUN_LOG2: u32 = PAGES.ilog2();

/// Where runs of each length may start: at multiples of it.
const STARTS: [u32; MAX_RUN_LOG2 as usize + 1] =
    [0xffff_ffff, 0x5555_5555, 0x1111_1111, 0x0101_0101, 0x0001_0001, 0x0000_0001];

const LAYOUT: Layout = match Layout::from_size_align(CHUNK_BYTES, CHUNK_BYTES) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

/// A chunk of 2 MiB of memory, zeroed at first. It knows which of its pages are free, and which of those may
/// hold memory of the system.
///
/// ```text
///  a page that is     free  dirty
///  in use              0     0
///  free, clean         1     0     reads as zeros
///  free, dirty         1     1     keeps its last contents
/// ```
///
/// The first access to a clean page waits for zeros. For a small page of the system that is short. A huge one
/// takes a fraction of a millisecond, so it is made when nobody waits for it: [`populate`](Self::populate). A
/// chunk whose pages are taken before that has small ones, at least until all are in use.
///
/// A chunk that is *kept* is resident as a whole until it is dropped. None of its free pages counts as dirty.
///
/// The chunk alone owns its memory until it is dropped. The address is exposed: pointers may be rebuilt from
/// addresses with `with_exposed_provenance`.
pub(super) struct Chunk {
    base: NonNull<u8>,
    free: u32,
    dirty: u32,
    /// The pages that exist: all of them, except in the last chunk of a pool.
    all: u32,
    /// The chunk may be backed by a huge page.
    huge: bool,
    /// The system must not back the chunk by a huge page, which would make all of it resident as soon as one page
    /// is in use. This lasts until all of it is in use.
    split: bool,
    kept: bool,
}

// SAFETY: the chunk owns its memory, and nothing about it belongs to a thread.
unsafe impl Send for Chunk {}

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

/// The longest stretches of free pages that have a dirty one: one call of the system for each makes all clean.
fn dirty_stretches(mut free: u32, dirty: u32) -> impl Iterator<Item = Range<u32>> {
    let stretches = std::iter::from_fn(move || {
        let start = (free != 0).then(|| free.trailing_zeros())?;
        let end = start + (free >> start).trailing_ones();
        free &= u32::MAX.checked_shl(end).unwrap_or(0);
        Some(start..end)
    });
    stretches.filter(move |pages| dirty >> pages.start << pages.start & (u32::MAX >> (PAGES - pages.end)) != 0)
}

impl Chunk {
    /// Maps a chunk whose first `pages` pages are free and clean. With `huge`, a huge page may back it.
    ///
    /// # Errors
    ///
    /// The system has no memory or no addresses left.
    pub(super) fn new(pages: u32, huge: bool) -> Result<Self, AllocError> {
        let base = os::map(LAYOUT)?;
        base.as_ptr().expose_provenance();
        let all = u32::MAX >> (PAGES - pages);
        Ok(Self { base, free: all, dirty: 0, all, huge, split: false, kept: false })
    }

    /// As [`new`](Self::new), but the chunk is kept.
    pub(super) fn kept(pages: u32) -> Result<Self, AllocError> {
        let mut chunk = Self::new(pages, true)?;
        chunk.kept = true;
        chunk.wish_huge(true);
        // SAFETY: (1) the mapping is new, and nobody else knows it.
        unsafe { os::touch(chunk.base, pages as usize * PAGE_BYTES) };
        Ok(chunk)
    }

    fn wish_huge(&self, wish: bool) {
        if self.huge {
            os::wish_huge(self.base, CHUNK_BYTES, wish);
        }
    }

    /// The first byte.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(super) fn in_use(&self) -> usize {
        (self.all & !self.free).count_ones() as usize
    }

    pub(super) fn free(&self) -> usize {
        self.free.count_ones() as usize
    }

    pub(super) fn dirty(&self) -> usize {
        self.dirty.count_ones() as usize
    }

    /// Free pages that are resident for ever.
    pub(super) fn kept_free(&self) -> usize {
        if self.kept { self.free() } else { 0 }
    }

    fn is_free(&self) -> bool {
        self.free == self.all
    }

    /// Returns `true` if it is wholly free and clean, and may have a huge page.
    pub(super) fn is_cold(&self) -> bool {
        self.huge && self.is_free() && self.dirty == 0 && !self.kept
    }

    /// Returns `true` if it is wholly free and not given back.
    pub(super) fn is_spare(&self) -> bool {
        self.is_free() && self.dirty != 0
    }

    /// Returns `true` if a run of `1 << log2` pages can be taken.
    pub(super) fn has_run(&self, log2: u32) -> bool {
        aligned_runs(self.free, log2) != 0
    }

    /// Takes the lowest run of `1 << log2` pages, which must exist; returns its first page.
    pub(super) fn take(&mut self, log2: u32) -> u32 {
        let first = aligned_runs(self.free, log2).trailing_zeros();
        if self.is_cold() {
            self.wish_huge(false);
            self.split = true;
        }
        self.free &= !run(first, log2);
        self.dirty &= self.free;
        if self.split && self.free == 0 {
            self.wish_huge(true);
            self.split = false;
        }
        first
    }

    /// Takes a cold chunk as a whole, to be made resident with [`populate`](Self::populate).
    pub(super) fn take_to_populate(&mut self) {
        debug_assert!(self.is_cold());
        self.wish_huge(true);
        self.split = false;
        self.free = 0;
    }

    /// Makes the chunk at this address resident. This takes a fraction of a millisecond.
    pub(super) fn populate(base: NonNull<u8>) -> Populated {
        os::populate(base, CHUNK_BYTES)
    }

    /// Frees what [`take_to_populate`](Self::take_to_populate) took. Any part of it may be resident.
    pub(super) fn put_populated(&mut self) {
        (self.free, self.dirty) = (self.all, self.all);
    }

    /// Frees a run that is in use.
    ///
    /// # Safety
    ///
    /// 1. Nobody relies on the contents of its pages any more, and all accesses to them are atomic and expect
    ///    zeros.
    pub(super) unsafe fn put(&mut self, first: u32, log2: u32) {
        let pages = run(first, log2);
        debug_assert_eq!(pages & (self.free | !self.all), 0, "freed pages that are not in use");
        self.free |= pages;
        if !self.kept {
            self.dirty |= pages;
        }
    }

    /// Gives the dirty pages back to the system, with the free pages around them. Returns `false` if the system
    /// does not take them.
    pub(super) fn give_back(&mut self) -> bool {
        let splits = !self.is_free();
        if splits && self.huge && !self.split {
            self.wish_huge(false);
        }
        self.split = splits && self.huge;
        let given = dirty_stretches(self.free, self.dirty).all(|pages| {
            // SAFETY: (1) the pages are the chunk's own; (2) they are free, as the caller of `put` has
            // promised.
            unsafe {
                let start = self.base.add(pages.start as usize * PAGE_BYTES);
                os::give_back(start, pages.len() * PAGE_BYTES)
            }
        });
        if given {
            self.dirty = 0;
        }
        given
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: (1) `new` mapped it with this layout, and the chunk is its only owner.
        unsafe { os::unmap(self.base, LAYOUT) }
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
            let mut covered = 0_u32;
            for stretch in dirty_stretches(free, dirty) {
                let pages = stretch.clone().fold(0, |pages, page| pages | 1 << page);
                prop_assert_eq!(pages & (covered | covered << 1 | !free), 0, "overlaps, touches or is in use");
                prop_assert_ne!(pages & dirty, 0);
                covered |= pages;
            }
            prop_assert_eq!(dirty & !covered, 0);
        }
    }

    #[test]
    #[cfg_attr(
        any(not(target_os = "linux"), miri, flow_table_portable),
        ignore = "memory goes back on Linux only"
    )]
    fn a_chunk_is_split_unless_it_was_populated_or_all_of_it_is_in_use() {
        let mut chunk = Chunk::new(PAGES, true).unwrap();
        assert!(chunk.is_cold());
        chunk.take(0);
        assert_eq!((chunk.in_use(), chunk.dirty(), chunk.split, chunk.is_cold()), (1, 0, true, false));
        (1..PAGES).for_each(|_| _ = chunk.take(0));
        assert!(!chunk.split);
        // SAFETY: (1) nobody uses the pages.
        unsafe { chunk.put(0, MAX_RUN_LOG2) };
        assert!(chunk.is_spare() && chunk.give_back() && chunk.is_cold());
        chunk.take_to_populate();
        assert_eq!((chunk.in_use(), chunk.has_run(0)), (32, false), "nobody else takes its pages");
        assert_eq!(Chunk::populate(chunk.base()), Populated::Yes);
        chunk.put_populated();
        assert_eq!((chunk.in_use(), chunk.dirty(), chunk.is_cold()), (0, 32, false));
        chunk.take(0);
        assert_eq!((chunk.dirty(), chunk.split), (31, false));
    }

    /// The first chunk of a pool.
    #[test]
    #[cfg_attr(
        any(not(target_os = "linux"), miri, flow_table_portable),
        ignore = "memory goes back on Linux only"
    )]
    fn a_chunk_without_huge_pages_is_neither_cold_nor_split() {
        let mut chunk = Chunk::new(PAGES, false).unwrap();
        for _ in 0..2 {
            assert!(!chunk.is_cold());
            chunk.take(4);
            chunk.take(4);
            // SAFETY: (1) nobody uses the pages.
            unsafe { chunk.put(16, 4) };
            assert!(chunk.give_back() && !chunk.split);
            // SAFETY: as above.
            unsafe { chunk.put(0, 4) };
            assert!(chunk.give_back() && !chunk.split);
        }
    }

    #[test]
    fn a_chunk_that_is_kept_has_no_dirty_page_to_give_back() {
        let mut chunk = Chunk::kept(3).unwrap();
        assert_eq!((chunk.kept_free(), chunk.dirty(), chunk.is_cold(), chunk.is_spare()), (3, 0, false, false));
        chunk.take(1);
        // SAFETY: (1) nobody uses the pages.
        unsafe { chunk.put(0, 0) };
        assert_eq!((chunk.in_use(), chunk.kept_free(), chunk.dirty(), chunk.split), (1, 2, 0, false));
    }

    /// Taking parts of it does not make the whole resident.
    #[test]
    #[cfg_attr(
        any(not(target_os = "linux"), miri, flow_table_portable),
        ignore = "memory goes back on Linux only"
    )]
    fn a_chunk_that_was_given_back_in_part_is_split_until_all_is_in_use_or_given_back() {
        for all_in_use in [true, false] {
            let mut chunk = Chunk::new(PAGES, true).unwrap();
            chunk.take_to_populate();
            chunk.put_populated();
            chunk.take(4);
            chunk.take(4);
            // SAFETY: (1) nobody uses the pages.
            unsafe { chunk.put(16, 4) };
            assert!(!chunk.split);
            assert!(chunk.give_back());
            assert!(chunk.split);
            chunk.take(3);
            assert!(chunk.split);
            if all_in_use {
                chunk.take(3);
            } else {
                // SAFETY: as above.
                unsafe {
                    chunk.put(0, 4);
                    chunk.put(16, 3);
                }
                assert!(chunk.is_spare() && chunk.give_back());
            }
            assert!(!chunk.split);
        }
    }
}
