//! Keeps account of the pages of a pool that are in use, free or dirty, and decides when free ones go back to
//! the system. It is used under the pool's lock.

use std::ptr::NonNull;

use super::chunk::{Chunk, PAGES};
use super::os::{self, Populated};
use super::{AllocError, try_reserve};

/// The first chunks of a pool, which have no huge pages, so that small tables stay small.
const SMALL_CHUNKS: usize = 1;

/// The dirty pages that every pool may have, however little it holds: 128 KiB.
const MIN_DIRTY: usize = 2;

/// With so many pages in use, a chunk is made ready: 6 MiB.
const READY_FROM: usize = 3 * PAGES as usize;

/// With fewer pages in use, it is given back: 4 MiB. So a pool has never more than twice as many pages as are in
/// use.
const READY_UNTIL: usize = 2 * PAGES as usize;

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
    /// Cleared when the system can't make a chunk resident.
    populates: bool,
    /// A chunk is being made resident.
    populating: bool,
    /// The chunk that was made resident before it is needed, until a page of it is taken. Its pages do not count
    /// when there are too many dirty ones.
    ready: Option<usize>,
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
            populating: false,
            ready: None,
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

    /// Returns `true` if there are more dirty pages than may be. Where chunks are made ready, there may always be
    /// what is left of one.
    fn is_too_dirty(&self) -> bool {
        let ready = self.ready.map_or(0, |number| self.chunks[number].dirty());
        let left_over = if self.in_use < READY_UNTIL { 0 } else { PAGES as usize };
        self.dirty - ready > MIN_DIRTY.max(self.in_use / self.in_use_per_dirty).max(left_over)
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
        self.ready = self.ready.filter(|&ready| ready != number);
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
            let is_spare = |&number: &usize| self.chunks[number].is_spare() && self.ready != Some(number);
            let second = (0..self.chunks.len()).filter(is_spare).nth(1);
            second.map(|second| self.give_back(second));
        }
        self.trim();
    }

    /// Gives back what is too much.
    fn trim(&mut self) {
        if let Some(ready) = self.ready.filter(|_| self.in_use < READY_UNTIL) {
            self.ready = None;
            self.give_back(ready);
        }
        while self.is_too_dirty() && self.give_back_dirtiest() {}
    }

    /// The chunk to be made resident, if that is due: the next page will be taken from it, or no more than half of
    /// the chunk before it is free. It may have to be added. It is not the last one of the pool, for which others
    /// would have no other one meanwhile.
    pub(super) fn next_cold(&self) -> Option<usize> {
        if !self.populates || self.populating || self.ready.is_some() || self.in_use < READY_FROM {
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

    /// Takes the chunk that is to be made resident as a whole; returns its base.
    pub(super) fn take_to_populate(&mut self, number: usize) -> NonNull<u8> {
        self.populating = true;
        self.update(number, Chunk::take_to_populate);
        self.chunks[number].base()
    }

    /// Frees the chunk that was [taken to be made resident](Self::take_to_populate).
    pub(super) fn put_populated(&mut self, number: usize, populated: Populated) {
        self.populating = false;
        self.populates = populated != Populated::Never;
        self.update(number, Chunk::put_populated);
        self.full_before = self.full_before.min(number);
        if populated == Populated::Yes {
            self.ready = Some(number);
        } else {
            self.give_back(number);
        }
        // There may be far fewer pages in use than when this began.
        self.trim();
    }

    /// Makes the chunk with the most dirty pages clean, other than the one that is ready. Returns `false` if no
    /// page is dirty, or the system does not take memory back.
    fn give_back_dirtiest(&mut self) -> bool {
        let others = (0..self.chunks.len()).filter(|&number| self.ready != Some(number));
        let dirtiest = others.max_by_key(|&number| self.chunks[number].dirty());
        dirtiest.is_some_and(|number| self.chunks[number].dirty() != 0 && self.give_back(number))
    }

    /// Takes a step towards no dirty pages. Returns `false` if it is the last one.
    pub(super) fn purge_step(&mut self) -> bool {
        self.ready = None;
        self.give_back_dirtiest()
    }

    fn give_back(&mut self, number: usize) -> bool {
        self.gives_back = self.gives_back && self.update(number, Chunk::give_back);
        self.gives_back
    }
}
