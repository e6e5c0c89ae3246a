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
    /// Cleared when the system has refused to take memory back; it is not asked again then.
    gives_back: bool,
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
            gives_back: os::GIVES_BACK,
        }
    }

    /// Chunks mapped so far.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Pages that are in use or dirty.
    pub(super) fn resident(&self) -> usize {
        self.in_use + self.dirty
    }

    /// Maps another chunk, within the limit; returns its base.
    ///
    /// # Errors
    ///
    /// The system has no memory.
    pub(super) fn add_chunk(&mut self) -> Result<NonNull<u8>, AllocError> {
        let number = self.chunks.len();
        try_reserve(&mut self.chunks, 1)?;
        let chunk = Chunk::new(PAGES.min(self.max_pages - number as u32 * PAGES), number >= SMALL_CHUNKS)?;
        let base = chunk.base();
        self.chunks.push(chunk);
        Ok(base)
    }

    /// Changes a chunk, and the sums over all.
    fn update<R>(&mut self, number: usize, change: impl FnOnce(&mut Chunk) -> R) -> R {
        let chunk = &mut self.chunks[number];
        self.in_use -= chunk.in_use();
        self.dirty -= chunk.dirty();
        let result = change(chunk);
        self.in_use += chunk.in_use();
        self.dirty += chunk.dirty();
        result
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
        while self.dirty > MIN_DIRTY.max(self.in_use / self.in_use_per_dirty) && self.give_back_dirtiest() {}
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
