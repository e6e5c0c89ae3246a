//! A pool of pages for one purpose. It hands out the lowest free pages first.
//!
//! # Ground rules
//!
//! 1. The directory holds each chunk's base from the moment the chunk exists until the pool is dropped; it is
//!    written under the pool's lock, read without it.
//! 2. Everything else about pages is in the [`Inventory`], under the lock. The lock is innermost: nothing is
//!    locked under it, and no code of the user runs under it.
//! 3. The pool never touches what pages hold, except by giving free ones back to the system.

use std::ptr::NonNull;

use super::chunk::{CHUNK_BYTES, Chunk, MAX_RUN_LOG2, PAGE_BYTES, PAGES};
use super::inventory::Inventory;
use super::{AllocError, Mapped};
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Mutex, Ordering};

/// The number of a page in its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageId(u32);

impl PageId {
    #[inline]
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    #[inline]
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    #[inline]
    const fn chunk(self) -> usize {
        (self.0 / PAGES) as usize
    }

    #[inline]
    const fn place(self) -> u32 {
        self.0 % PAGES
    }
}

/// Pages of 64 KiB of one or more kinds that are never mixed: a page is only used for its kind again. They are
/// handed out in aligned runs, lowest first, so that what lives long gathers in the low chunks
/// and high chunks become free.
///
/// Free memory goes back to the system step by step, while pages are freed. A chunk that is wholly free goes
/// back at once, except one that is kept for reuse. Other free pages go back when they exceed a share of those
/// in use and 128 KiB.
///
/// Those who allocate pages do not wait until the system has zeroed a chunk: [`make_ready`](Self::make_ready)
/// does.
pub(crate) struct PagePool {
    /// The bases of all chunks, those of the first kind first.
    directory: Mapped<[AtomicPtr<u8>]>,
    kinds: Box<[Kind]>,
    chunks_per_kind: usize,
    /// The kinds of which a chunk is to be made ready, as bits.
    wishes: AtomicU32,
}

/// The pages of one kind.
struct Kind {
    resident: AtomicUsize,
    inventory: Mutex<Inventory>,
}

impl PagePool {
    /// Makes a pool of at most `max_pages` pages, one or more, of each of `kinds` kinds. It keeps a free page of
    /// a kind for each `in_use_per_free` in use, and maps none yet.
    ///
    /// # Panics
    ///
    /// The system has no addresses left for the directory.
    pub(crate) fn new(kinds: usize, max_pages: u32, in_use_per_free: usize) -> Self {
        let chunks_per_kind = max_pages.div_ceil(PAGES) as usize;
        let kind = || Kind {
            resident: AtomicUsize::new(0),
            inventory: Mutex::new(Inventory::new(max_pages, in_use_per_free)),
        };
        Self {
            directory: Mapped::zeroed(kinds * chunks_per_kind).expect("addresses for a directory"),
            kinds: std::iter::repeat_with(kind).take(kinds).collect(),
            chunks_per_kind,
            wishes: AtomicU32::new(0),
        }
    }

    /// Maps memory for at least this many pages of a kind, or for the most that there may be, and makes it
    /// resident for ever. The pool is new.
    ///
    /// # Errors
    ///
    /// The system has no memory. What it has given is kept.
    pub(crate) fn keep(&self, kind: usize, pages: usize) -> Result<(), AllocError> {
        let chunks = pages.div_ceil(PAGES as usize).min(self.chunks_per_kind);
        let mut inventory = self.kinds[kind].inventory.lock();
        let added = (0..chunks).try_for_each(|_| self.add_chunk(kind, &mut inventory, true));
        self.kinds[kind].publish_resident(&inventory);
        added
    }

    /// The address of the byte at `offset` in a page. It does not change until the pool is dropped, whether the
    /// page is in use or not.
    ///
    /// # Safety
    ///
    /// 1. [`alloc`](Self::alloc) of this pool has returned the page, alone or in a run; it may have been freed
    ///    since.
    /// 2. That return happens before this call: the page number was handed on with `Release` and `Acquire`, or
    ///    under a lock.
    #[inline]
    pub(crate) unsafe fn address(&self, page: PageId, offset: usize) -> NonNull<u8> {
        debug_assert!(offset < PAGE_BYTES);
        // SAFETY: pages that exist (caller's 1) are within the directory.
        let base = unsafe { self.base(page) };
        debug_assert!(!base.is_null(), "a page of this pool that was never allocated");
        // SAFETY: the base is there, as `base` shows, and the page lies in the chunk's mapping.
        unsafe { NonNull::new_unchecked(base.add((page.place() as usize * PAGE_BYTES) | offset)) }
    }

    /// The base of the page's chunk.
    ///
    /// # Safety
    ///
    /// The page is below the limit given to [`new`](Self::new).
    #[inline]
    pub(crate) unsafe fn base(&self, page: PageId) -> *mut u8 {
        debug_assert!(page.chunk() < self.directory.len());
        // SAFETY: by the caller.
        let chunk = unsafe { self.directory.get_unchecked(page.chunk()) };
        // Relaxed: the other side is the store in `add_chunk`. It happens before the return of every `alloc`
        // from that chunk, by the lock, and so before this load, where `address` is called; no later store
        // follows it.
        chunk.load(Ordering::Relaxed)
    }

    /// The page that an address lies in.
    ///
    /// # Panics
    ///
    /// The address lies in none of this pool's pages.
    pub(crate) fn page_at(&self, address: usize) -> PageId {
        let base = address & !(CHUNK_BYTES - 1);
        // Relaxed: as in `address`.
        let chunk = self.directory.iter().position(|chunk| chunk.load(Ordering::Relaxed).addr() == base);
        let first = chunk.expect("an address in a page of this pool") as u32 * PAGES;
        PageId(first + (address % CHUNK_BYTES / PAGE_BYTES) as u32)
    }

    /// Allocates the lowest free run of `1 << run_log2` pages of a kind, aligned to its length, at most a whole
    /// chunk; returns its first page.
    ///
    /// # Errors
    ///
    /// The limit is reached, counting free pages that make up no such run, or the system has no memory.
    pub(crate) fn alloc(&self, kind: usize, run_log2: u32) -> Result<PageId, AllocError> {
        debug_assert!(run_log2 <= MAX_RUN_LOG2);
        let mut inventory = self.kinds[kind].inventory.lock();
        let (chunk, place) = loop {
            match inventory.take(run_log2) {
                Some(taken) => break taken,
                None => self.add_chunk(kind, &mut inventory, false)?,
            }
        };
        self.kinds[kind].publish_resident(&inventory);
        self.note_wish(kind, &inventory);
        Ok(PageId((kind * self.chunks_per_kind + chunk) as u32 * PAGES + place))
    }

    #[cold]
    fn add_chunk(&self, kind: usize, inventory: &mut Inventory, keep: bool) -> Result<(), AllocError> {
        let directory = &self.directory[kind * self.chunks_per_kind..][..self.chunks_per_kind];
        let slot = directory.get(inventory.chunks()).ok_or(AllocError)?;
        let base = inventory.add_chunk(keep)?;
        // Relaxed: pairs with `address`, see there.
        slot.store(base.as_ptr(), Ordering::Relaxed);
        Ok(())
    }

    /// Frees a run, or an aligned part of one.
    ///
    /// # Safety
    ///
    /// 1. The pages are allocated from this pool, and this call is the one that frees them.
    /// 2. From now on the caller only reads them, atomically, and expects zeros or what others who allocate
    ///    them write.
    pub(crate) unsafe fn free(&self, page: PageId, run_log2: u32) {
        debug_assert!(run_log2 <= MAX_RUN_LOG2 && page.0.is_multiple_of(1 << run_log2));
        let (kind, chunk) =
            (&self.kinds[page.chunk() / self.chunks_per_kind], page.chunk() % self.chunks_per_kind);
        let mut inventory = kind.inventory.lock();
        // SAFETY: the caller's 1 and 2.
        unsafe { inventory.put(chunk, page.place(), run_log2) };
        kind.publish_resident(&inventory);
    }

    /// Returns `true` if there is something to [make ready](Self::make_ready).
    #[inline]
    pub(crate) fn wishes(&self) -> bool {
        // Relaxed, here and below: a hint. Whoever acts on it looks under the lock.
        self.wishes.load(Ordering::Relaxed) != 0
    }

    fn note_wish(&self, kind: usize, inventory: &Inventory) {
        if inventory.next_cold().is_some() {
            self.wishes.fetch_or(1 << kind, Ordering::Relaxed);
        }
    }

    /// Makes the chunk resident from which pages of a kind will be taken next, if it is needed soon. That takes a
    /// fraction of a millisecond, without the lock.
    #[cold]
    pub(crate) fn make_ready(&self) {
        let number = self.wishes.load(Ordering::Relaxed).trailing_zeros() as usize;
        let Some(kind) = self.kinds.get(number) else { return };
        self.wishes.fetch_and(!(1 << number), Ordering::Relaxed);
        let mut inventory = kind.inventory.lock();
        let Some(chunk) = inventory.next_cold() else { return };
        if chunk == inventory.chunks() && self.add_chunk(number, &mut inventory, false).is_err() {
            return;
        }
        let base = inventory.take_to_populate(chunk);
        kind.publish_resident(&inventory);
        drop(inventory);
        let populated = Chunk::populate(base);
        let mut inventory = kind.inventory.lock();
        inventory.put_populated(chunk, populated);
        kind.publish_resident(&inventory);
    }

    /// Gives all free memory back to the system, without holding the lock for long.
    pub(crate) fn purge(&self) {
        for kind in &self.kinds {
            let mut more = true;
            while more {
                let mut inventory = kind.inventory.lock();
                more = inventory.purge_step();
                kind.publish_resident(&inventory);
            }
        }
    }

    /// Bytes of pages that are in use or dirty: what the system may have given to the pool.
    pub(crate) fn resident(&self) -> usize {
        // Relaxed: a statistic; pairs with `publish_resident`.
        self.kinds.iter().map(|kind| kind.resident.load(Ordering::Relaxed)).sum()
    }
}

impl Kind {
    fn publish_resident(&self, inventory: &Inventory) {
        // Relaxed: a statistic; pairs with `resident`.
        self.resident.store(inventory.resident() * PAGE_BYTES, Ordering::Relaxed);
    }
}
