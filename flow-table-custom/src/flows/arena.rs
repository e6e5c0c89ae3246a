use std::marker::PhantomData;
use std::ptr::NonNull;

use super::at::FlowAt;
use super::entry::Entry;
use super::page::{Page, entry_at};
use crate::hash::KeyHash;
use crate::ids::EntryIndex;
use crate::index::{Slot, SlotHashes};
use crate::memory::{Mapped, PageId, PagePool};
use crate::sync::AtomicU32;

/// One free page is kept for so many pages in use.
const IN_USE_PER_FREE: usize = 2;

/// The memory of a table's flows: pages of one-key flows and pages of two-key flows.
pub(crate) struct Arena<K, V> {
    singles: PagePool,
    pairs: PagePool,
    /// For each page of either pool: see [`generation`](Self::generation).
    generations: [Mapped<[AtomicU32]>; 2],
    flows: PhantomData<(K, V)>,
}

// SAFETY: the pools are `Send`; keys and values in them move with the arena only where K and V allow it.
unsafe impl<K: Send, V: Send> Send for Arena<K, V> {}
// SAFETY: an arena only computes addresses. Reading or dropping keys and values there needs what `StrongRef`
// needs.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Arena<K, V> {}

impl<K, V> Arena<K, V> {
    pub(crate) fn new() -> Self {
        const PAGES: u32 = 1 << EntryIndex::PAGE_BITS;
        let pool = || PagePool::new(PAGES, IN_USE_PER_FREE);
        let generations =
            [(); 2].map(|()| Mapped::zeroed(PAGES as usize).expect("addresses for a number per page"));
        Self { singles: pool(), pairs: pool(), generations, flows: PhantomData }
    }

    #[inline]
    pub(crate) fn pool(&self, pair: bool) -> &PagePool {
        if pair { &self.pairs } else { &self.singles }
    }

    /// The generation below which no entry of the page may start. A shard that returns the page to the pool
    /// stores it here, because a page that is given back to the system forgets it.
    pub(crate) fn generation(&self, id: u32, pair: bool) -> &AtomicU32 {
        &self.generations[usize::from(pair)][id as usize]
    }

    /// The page with this number, which a shard has or had.
    #[inline]
    pub(crate) fn page(&self, id: u32, pair: bool) -> Page<K, V> {
        // SAFETY: page numbers are handed on by the slots and locks of this table only, after the pool has
        // handed the page out; the pool serves entries of this kind, and lives as long as the table's core.
        unsafe { Page::new(self.pool(pair).address(PageId::new(id)), pair) }
    }

    /// The page of the entry with this index.
    #[inline]
    pub(crate) fn page_of(&self, index: EntryIndex) -> Page<K, V> {
        self.page(index.page(), index.is_pair())
    }

    /// The entry with this index, which a shard has or had.
    #[inline]
    pub(crate) fn entry(&self, index: EntryIndex) -> Entry<K, V> {
        let pair = index.is_pair();
        // SAFETY: as for `page`; indices are made by `Slab::alloc` of a page that the shard has taken over.
        unsafe {
            let page: NonNull<u8> = self.pool(pair).address(PageId::new(index.page()));
            entry_at(page, index.place(), pair)
        }
    }

    /// As [`entry`](Self::entry), with its page.
    #[inline]
    pub(crate) fn at(&self, index: EntryIndex) -> FlowAt<K, V> {
        FlowAt::new(self.page_of(index), index)
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
