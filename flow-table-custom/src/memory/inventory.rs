//! Keeps account of the pages of a pool that are in use, free or dirty, and decides when free ones go back to
//! the system. It is used under the pool's lock.

use std::ptr::NonNull;

use super::chunk::{Chunk, PAGES};
use super::{AllocError, os, try_reserve};

/// The first chunks of a pool, which have no huge pages, so that small tables stay small.
const SMALL_CHUNKS: usize = 1;

/// The dirty pages that every pool may have, however little it holds: 128 KiB.
const MIN_DIRTY: usize = 2;

pub(super) struct Inventory {
    max_pages: u32,
    /// One dirty page is kept for so many pages in use.
    in_use_per_dirty: usize,
    chunks: Vec<Chunk>,
    /// All pages of the chunks before this one are in use.
    full_before: usize,
    in_use: usize,
    dirty: usize,
    /// Free pages of chunks that are kept.
    kept: usize,
    /// Cleared when the system has refused to take memory back; it is not asked again then.
    gives_back: bool,
    /// Cleared when the system has refused to make a chunk resident.
    populates: bool,
}

/// Work for the system that takes a fraction of a millisecond. It is done without the pool's lock, when no packet
/// waits for it.
pub(super) enum Chore {
    /// Makes a chunk resident before its pages are needed.
    Populate(usize),
    /// Puts a huge page in the place of small ones.
    Collapse(NonNull<u8>),
}

impl Inventory {
    pub(super) const fn new(max_pages: u32, in_use_per_dirty: usize) -> Self {
        Self {
            max_pages,
            in_use_per_dirty,
            chunks: Vec::new(),
            full_before: 0,
            in_use: 0,
            dirty: 0,
            kept: 0,
            gives_back: os::GIVES_BACK,
            populates: true,
        }
    }

    /// Chunks mapped so far.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Pages that are in use, dirty or kept.
    pub(super) fn resident(&self) -> usize {
        self.in_use + self.dirty + self.kept
    }

    /// Maps another chunk, within the limit; returns its base. With `keep`, it is resident for ever.
    ///
    /// # Errors
    ///
    /// The system has no memory.
    pub(super) fn add_chunk(&mut self, keep: bool) -> Result<NonNull<u8>, AllocError> {
        let number = self.chunks.len();
        try_reserve(&mut self.chunks, 1)?;
        let pages = PAGES.min(self.max_pages - number as u32 * PAGES);
        let chunk = if keep { Chunk::kept(pages) } else { Chunk::new(pages, number >= SMALL_CHUNKS) }?;
        let base = chunk.base();
        self.kept += chunk.kept_free();
        self.chunks.push(chunk);
        Ok(base)
    }

    /// Changes a chunk, and the sums over all.
    fn update<R>(&mut self, number: usize, change: impl FnOnce(&mut Chunk) -> R) -> R {
        let chunk = &mut self.chunks[number];
        self.in_use -= chunk.in_use();
        self.dirty -= chunk.dirty();
        self.kept -= chunk.kept_free();
        let result = change(chunk);
        self.in_use += chunk.in_use();
        self.dirty += chunk.dirty();
        self.kept += chunk.kept_free();
        result
    }

    /// The free pages that may be dirty.
    fn dirty_limit(&self) -> usize {
        MIN_DIRTY.max(self.in_use / self.in_use_per_dirty)
    }

    /// Takes the lowest free run of the mapped chunks, and returns its chunk and its first page there. The
    /// search takes a microsecond for a thousand chunks, which are 2 GiB. It is done for every page of 64 KiB,
    /// not for every flow.
    pub(super) fn take(&mut self, run_log2: u32) -> Option<(usize, u32)> {
        let skipped = self.chunks[self.full_before..].iter().position(|chunk| chunk.has_run(run_log2))?;
        let number = self.full_before + skipped;
        if run_log2 == 0 {
            self.full_before = number;
        }
        Some((number, self.update(number, |chunk| chunk.take(run_log2))))
    }

    /// Frees a run. If there is too much free memory then, gives some back.
    ///
    /// # Safety
    ///
    /// 1. The run was taken, and is freed once.
    /// 2. Nobody relies on the contents of its pages any more, and all accesses to them are atomic and expect
    ///    zeros.
    pub(super) unsafe fn put(&mut self, number: usize, first: u32, run_log2: u32) {
        // SAFETY: (1) is the caller's 2.
        self.update(number, |chunk| unsafe { chunk.put(first, run_log2) });
        self.full_before = self.full_before.min(number);
        if self.chunks[number].is_spare() {
            // There was at most one before.
            let mut spares = (0..self.chunks.len()).filter(|&number| self.chunks[number].is_spare());
            if let Some(second) = spares.nth(1) {
                self.give_back(second);
            }
        }
        while self.dirty > self.dirty_limit() && self.give_back_dirtiest() {}
    }

    /// Returns `true` if [`begin_chore`](Self::begin_chore) would return something.
    pub(super) fn has_chore(&self) -> bool {
        self.next_cold().is_some() || self.chunks.iter().any(Chunk::is_scattered)
    }

    /// The chunk to be made resident, if that is due: the next page will be taken from it, or no more than half of
    /// the chunk before it is free, and as many pages may be dirty. It may have to be added. It is never the last
    /// one of the pool, so that others find a free one all the while.
    fn next_cold(&self) -> Option<usize> {
        if !self.populates || self.dirty + PAGES as usize > self.dirty_limit() {
            return None;
        }
        let mut open = (self.full_before..self.chunks.len()).filter(|&number| self.chunks[number].free() != 0);
        let is_used_up =
            |number: &usize| !self.chunks[*number].is_cold() && self.chunks[*number].free() <= PAGES as usize / 2;
        let first = open.next();
        let next = if first.as_ref().is_some_and(is_used_up) { open.next() } else { first };
        let next = next.unwrap_or(self.chunks.len());
        let is_cold = self.chunks.get(next).is_none_or(Chunk::is_cold);
        (is_cold && (next as u32 + 1) * PAGES < self.max_pages).then_some(next)
    }

    /// What is to be done next for the system's pages.
    pub(super) fn begin_chore(&mut self) -> Option<Chore> {
        if let Some(cold) = self.next_cold() {
            return Some(Chore::Populate(cold));
        }
        let scattered = self.chunks.iter_mut().find(|chunk| chunk.is_scattered())?;
        scattered.take_to_collapse();
        Some(Chore::Collapse(scattered.base()))
    }

    /// Takes a chunk that is to be made resident as a whole; returns its base.
    pub(super) fn take_to_populate(&mut self, number: usize) -> NonNull<u8> {
        self.update(number, Chunk::take_to_populate);
        self.chunks[number].base()
    }

    /// Frees a chunk that was [taken to be made resident](Self::take_to_populate), and tells whether it is.
    pub(super) fn put_populated(&mut self, number: usize, populated: bool) {
        self.update(number, |chunk| chunk.put_populated(populated));
        self.full_before = self.full_before.min(number);
        self.populates &= populated;
    }

    /// Makes the chunk with the most dirty pages clean. Returns `false` if no page is dirty, or the system does
    /// not take memory back.
    pub(super) fn give_back_dirtiest(&mut self) -> bool {
        let dirtiest = (0..self.chunks.len()).max_by_key(|&number| self.chunks[number].dirty());
        self.dirty != 0 && dirtiest.is_some_and(|number| self.give_back(number))
    }

    fn give_back(&mut self, number: usize) -> bool {
        self.gives_back = self.gives_back && self.update(number, Chunk::give_back);
        self.gives_back
    }
}
