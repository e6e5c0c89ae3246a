//! The memory of all flows of a table. It computes the addresses of pages and entries from their numbers,
//! without a lock.

use std::marker::PhantomData;
use std::time::Duration;

use super::at::FlowAt;
use super::entry::Entry;
use super::page::{Page, entry_offset};
use crate::hash::KeyHash;
use crate::ids::EntryIndex;
use crate::index::{Slot, SlotHashes};
use crate::memory::{AllocError, Mapped, PageId, PagePool};
use crate::sync::{AtomicU32, Ordering};

/// One free page is kept for so many pages in use.
const IN_USE_PER_FREE: usize = 2;

/// The memory of a table's flows: pages of one-key flows, and pages of two-key flows. A page never changes its
/// kind, also when it is free in between (P1).
pub(crate) struct Arena<K, V> {
    pool: PagePool,
    /// For each page: see [`generation`](Self::generation).
    generations: Mapped<[AtomicU32]>,
    slack: Duration,
    flows: PhantomData<(K, V)>,
}

// SAFETY: the pools are `Send`; keys and values in them move with the arena only where K and V allow it.
unsafe impl<K: Send, V: Send> Send for Arena<K, V> {}
// SAFETY: an arena only computes addresses. Reading or dropping keys and values there needs what `StrongRef`
// needs.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Arena<K, V> {}

impl<K, V> Arena<K, V> {
    /// The memory of a table whose refreshes have this slack.
    pub(crate) fn new(slack: Duration) -> Self {
        const PAGES: u32 = EntryIndex::PAGES;
        let generations = Mapped::zeroed(2 * PAGES as usize).expect("addresses for a number per page");
        Self { pool: PagePool::new(2, PAGES, IN_USE_PER_FREE), generations, slack, flows: PhantomData }
    }

    /// Keeps memory for at least so many pages of one kind resident for ever. The arena is new.
    ///
    /// # Errors
    ///
    /// The system has no memory. What it has given is kept.
    pub(crate) fn keep(&self, pages: usize, pair: bool) -> Result<(), AllocError> {
        for page in 0..pages.min(EntryIndex::PAGES as usize) {
            // Relaxed: nobody else has the arena yet. The store makes the number's memory resident.
            self.generation(Self::page_id(page as u32, pair)).store(0, Ordering::Relaxed);
        }
        self.pool.keep(usize::from(pair), pages)
    }

    #[inline]
    pub(crate) const fn pool(&self) -> &PagePool {
        &self.pool
    }

    /// The slack of refreshes.
    pub(super) const fn slack(&self) -> Duration {
        self.slack
    }

    /// The generation below which no entry of the page may start. A shard that returns the page to the pool
    /// stores it here, because a page that is given back to the system forgets it.
    pub(crate) fn generation(&self, page: PageId) -> &AtomicU32 {
        &self.generations[page.get() as usize]
    }

    /// The page of one kind with this number, which a shard has or had.
    #[inline]
    pub(crate) fn page(&self, number: u32, pair: bool) -> Page<K, V> {
        // SAFETY: page numbers are handed on by the slots and locks of this table only, after the pool has
        // handed the page out; the pool keeps the kinds apart, and lives as long as the table's core.
        unsafe { Page::new(self.pool.address(Self::page_id(number, pair), 0), pair) }
    }

    /// The pool's name for the page of one kind with this number.
    #[inline]
    pub(super) const fn page_id(number: u32, pair: bool) -> PageId {
        PageId::new(number | (pair as u32) << EntryIndex::PAGE_BITS)
    }

    /// The page of the entry with this index.
    #[inline]
    pub(crate) fn page_of(&self, index: EntryIndex) -> Page<K, V> {
        self.page(index.page(), index.is_pair())
    }

    /// The entry with this index, which a shard has or had.
    #[inline]
    pub(crate) fn entry(&self, index: EntryIndex) -> Entry<K, V> {
        // SAFETY: as for `page`; indices are made by `Slab::alloc` of a page that the shard has taken over.
        unsafe {
            let start = self.pool.address(PageId::new(index.page_of_all()), entry_offset(index.place()));
            Entry::new(start.cast())
        }
    }

    /// As [`entry`](Self::entry), with its page.
    #[inline]
    pub(crate) fn at(&self, index: EntryIndex) -> FlowAt<K, V> {
        FlowAt::new(self.entry(index), index)
    }
}

/// Used under the lock of the slot's shard: an entry is not freed before its slots are emptied (P3).
impl<K, V> SlotHashes for Arena<K, V> {
    #[inline]
    fn hash_of(&self, slot: Slot) -> KeyHash {
        self.at(slot.entry()).hash(slot.direction())
    }

    #[inline]
    fn prefetch(&self, slot: Slot) {
        self.page_of(slot.entry()).prefetch_record(slot.entry().place());
    }
}
