//! Which pages of a pool are in use, free or dirty, and when free ones go back to the system. Used under the pool's lock.
//!
//! # Ground rules
//!
//! 1. A page that is free here is relied on by nobody: whoever called [`Inventory::put`] said so. Readers that are still
//!    around access it atomically, and are ready for zeros.
//! 2. Only free pages are given back.

use std::ptr::NonNull;

use super::chunk::{ChunkPages, PAGES};
use super::max_tree::MaxTree;
use super::{AllocError, PAGE_BYTES, os, try_reserve};

/// Chunks of a pool that do without huge pages, so that small tables stay small.
const SMALL_CHUNKS: usize = 1;

/// Dirty pages that a pool may have, 128 KiB, however little it holds.
const MIN_DIRTY: usize = 2;

struct Chunk {
    memory: os::Chunk,
    pages: ChunkPages,
    /// Parts of it were given back, and not all of it is in use again since.
    split: bool,
}

pub(super) struct Inventory {
    max_pages: u32,
    /// So many pages in use allow one that is dirty.
    in_use_per_dirty: usize,
    chunks: Vec<Chunk>,
    /// For each chunk [`ChunkPages::longest_run`].
    runs: MaxTree,
    /// For each chunk [`ChunkPages::dirty`].
    dirt: MaxTree,
    in_use: usize,
    dirty: usize,
    /// The last wholly free chunk that was not given back; it may have been taken from since.
    spare: Option<usize>,
    /// Cleared when the system has refused to take memory back; it is not asked again then.
    gives_back: bool,
}

impl Inventory {
    pub(super) fn new(max_pages: u32, in_use_per_dirty: usize) -> Self {
        let chunks = max_pages.div_ceil(PAGES) as usize;
        Self {
            max_pages,
            in_use_per_dirty,
            chunks: Vec::new(),
            runs: MaxTree::new(chunks),
            dirt: MaxTree::new(chunks),
            in_use: 0,
            dirty: 0,
            spare: None,
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
        let chunk = self.chunks.len();
        let huge = chunk >= SMALL_CHUNKS;
        try_reserve(&mut self.chunks, 1)?;
        let memory = os::Chunk::new(huge)?;
        let base = memory.base();
        let pages = PAGES.min(self.max_pages - chunk as u32 * PAGES);
        self.chunks.push(Chunk { memory, pages: ChunkPages::new(pages, huge), split: false });
        self.update(chunk, |_| ());
        Ok(base)
    }

    /// Changes a chunk's pages, and all that is derived from them.
    fn update<R>(&mut self, chunk: usize, change: impl FnOnce(&mut ChunkPages) -> R) -> R {
        let pages = &mut self.chunks[chunk].pages;
        self.in_use -= pages.in_use();
        self.dirty -= pages.dirty();
        let result = change(pages);
        self.in_use += pages.in_use();
        self.dirty += pages.dirty();
        self.runs.set(chunk, pages.longest_run());
        self.dirt.set(chunk, pages.dirty() as u8);
        result
    }

    /// Takes the lowest free run of the mapped chunks: its chunk, its first page there, and what was kept.
    pub(super) fn take(&mut self, run_log2: u32) -> Option<(usize, u32, u32)> {
        let chunk = self.runs.first_at_least(run_log2 as u8 + 1)?;
        let (first, kept) = self.update(chunk, |pages| pages.take(run_log2));
        let Chunk { memory, pages, split } = &mut self.chunks[chunk];
        if *split && pages.longest_run() == 0 {
            memory.wish_huge(true);
            *split = false;
        }
        Some((chunk, first, kept))
    }

    /// Frees a run, and gives back what is too much then.
    ///
    /// # Safety
    ///
    /// 1. The run was taken, and is freed once.
    /// 2. Nobody relies on its contents any more (rule 1).
    pub(super) unsafe fn put(&mut self, chunk: usize, first: u32, run_log2: u32, keep: u32) {
        self.update(chunk, |pages| pages.put(first, run_log2, keep));
        if self.is_spare(chunk) {
            let spare = self.spare.filter(|&spare| self.is_spare(spare)).unwrap_or(chunk);
            self.spare = Some(spare.min(chunk));
            if spare != chunk {
                self.give_back(spare.max(chunk));
            }
        }
        while self.dirty > MIN_DIRTY.max(self.in_use / self.in_use_per_dirty) && self.give_back_dirtiest() {}
    }

    fn is_spare(&self, chunk: usize) -> bool {
        let pages = &self.chunks[chunk].pages;
        pages.is_free() && pages.dirty() != 0
    }

    /// Makes the chunk with the most dirty pages clean; false if there is none, or the system does not take memory back.
    pub(super) fn give_back_dirtiest(&mut self) -> bool {
        let most = self.dirt.max();
        most != 0 && self.dirt.first_at_least(most).is_some_and(|chunk| self.give_back(chunk))
    }

    fn give_back(&mut self, chunk: usize) -> bool {
        let Chunk { memory, pages, split } = &mut self.chunks[chunk];
        let splits = !pages.is_free();
        if splits != *split {
            memory.wish_huge(!splits);
            *split = splits;
        }
        self.gives_back = self.gives_back
            && pages.dirty_stretches().all(|stretch| {
                let bytes = stretch.start as usize * PAGE_BYTES..stretch.end as usize * PAGE_BYTES;
                // SAFETY: (1) these are whole pages of the chunk; (2) they are free, see rule 1.
                unsafe { memory.give_back(bytes) }
            });
        if self.gives_back {
            self.update(chunk, ChunkPages::set_clean);
        }
        self.gives_back
    }
}
