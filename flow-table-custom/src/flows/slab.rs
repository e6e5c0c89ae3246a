//! The pages of a shard: where new flows go, and which pages go back to the pool.

use super::arena::Arena;
use super::at::FlowAt;
use super::life::{Empty, Vacant};
use super::locked::Locked;
use super::notices;
use super::page::entries_in_page;
use super::page_set::PageSet;
use crate::ids::EntryIndex;
use crate::memory::AllocError;
use crate::sync::Ordering;

/// The pages of one kind that a shard has. It belongs to the shard's lock. New flows go to the lowest page with
/// a free entry, so that long-lived flows gather in the low pages and high pages become empty.
#[derive(Default)]
pub(crate) struct Slab {
    pages: PageSet,
    /// The number of pages.
    len: usize,
    /// The pages with a free entry.
    roomy: PageSet,
    /// The lowest page with a free entry.
    lowest: Option<u32>,
    /// The number of pages with no entry in use. A slab of several pages keeps one, so that a flow that comes
    /// and goes does not take and return a page each time.
    empty: usize,
    /// Keeps the memory of the sets when there are no pages.
    keep: bool,
}

/// The greatest power of two that is not more than `number`, or one.
const fn last_power_of_two(number: usize) -> u32 {
    if number == 0 { 1 } else { 1 << number.ilog2() }
}

/// A slab keeps an empty page once it has so many pages.
const KEEPS_EMPTY_FROM: usize = 4;

impl Slab {
    /// Takes a free entry. A page that is new to the slab is marked with `core`, the address of the table's core.
    #[inline(always)]
    pub(crate) fn alloc<K, V>(
        &mut self,
        arena: &Arena<K, V>,
        locked: &mut Locked,
        pair: bool,
        core: *const (),
    ) -> Result<Vacant<K, V>, AllocError> {
        let id = match self.lowest {
            Some(id) => id,
            None => self.grow(arena, locked, pair, core)?,
        };
        let page = arena.page(id, pair);
        if page.live(locked) == 0 {
            self.empty -= 1;
        }
        let (place, generation) = page.alloc(locked).expect("a roomy page has a free entry");
        if page.is_full(locked) {
            self.roomy.remove(id);
            self.lowest = self.roomy.first();
            if let Some(next) = self.lowest {
                arena.page(next, pair).prefetch();
            }
        }
        Ok(Vacant { at: FlowAt::new(page.entry(place), EntryIndex::new(id, place, pair)), generation })
    }

    /// Makes room in the sets for pages with numbers below this, for ever.
    pub(crate) fn keep(&mut self, pages: usize) -> Result<(), AllocError> {
        self.keep = true;
        let last = pages.saturating_sub(1) as u32;
        self.pages.reserve(last).and_then(|()| self.roomy.reserve(last))
    }

    /// Takes a free entry of a page below `page`, if there is one, or with `within` also of that page.
    pub(crate) fn alloc_below<K, V>(
        &mut self,
        page: u32,
        within: bool,
        arena: &Arena<K, V>,
        locked: &mut Locked,
        pair: bool,
        core: *const (),
    ) -> Option<Vacant<K, V>> {
        if self.has_room_below(page, within) { self.alloc(arena, locked, pair, core).ok() } else { None }
    }

    /// Returns `true` if a page below `page`, or with `within` also that page, has a free entry.
    fn has_room_below(&self, page: u32, within: bool) -> bool {
        self.lowest.is_some_and(|lowest| lowest < page || within && lowest == page)
    }

    /// The highest page below `limit`, if a page below it, or with `within` also itself, has a free entry.
    pub(crate) fn page_to_empty(&self, limit: u32, within: bool) -> Option<u32> {
        self.pages.last_below(limit).filter(|&page| self.has_room_below(page, within))
    }

    /// The number of pages.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[cold]
    #[inline(never)]
    fn grow<K, V>(
        &mut self,
        arena: &Arena<K, V>,
        locked: &mut Locked,
        pair: bool,
        core: *const (),
    ) -> Result<u32, AllocError> {
        let taken = arena.pool().alloc(usize::from(pair), 0)?;
        let id = taken.get() & ((1 << EntryIndex::PAGE_BITS) - 1);
        if let Err(error) = self.pages.reserve(id).and_then(|()| self.roomy.reserve(id)) {
            // SAFETY: the pool has just handed the page out, and nobody has used it.
            unsafe { arena.pool().free(taken, 0) };
            return Err(error);
        }
        // Relaxed: pairs with `release`. The pool's lock orders it before this.
        let generation = arena.generation(taken).load(Ordering::Relaxed);
        // SAFETY: the pool has just handed the page out, and its pages of this kind are for such entries only.
        unsafe { arena.page(id, pair).take_over(locked, core, arena.slack(), id, generation) };
        self.pages.insert(id);
        self.roomy.insert(id);
        self.lowest = self.roomy.first();
        self.len += 1;
        self.empty += 1;
        Ok(id)
    }

    /// Frees an entry whose flow is gone. Returns `true` each time that a page has lost so many entries that the
    /// slab may have become sparse.
    #[inline(always)]
    pub(crate) fn free<K, V>(&mut self, arena: &Arena<K, V>, locked: &mut Locked, entry: Empty<K, V>) -> bool {
        let Empty(at) = entry;
        let page = at.page();
        let was_full = page.is_full(locked);
        // Some eighths of the page, and none.
        let look = const { last_power_of_two(entries_in_page::<K, V>(false) / 8) } - 1;
        let looks = page.free(locked, at.index().place()) && (was_full || page.live(locked) & look == 0);
        if looks {
            self.free_slow(arena, locked, at, was_full);
        }
        looks
    }

    /// Notes that the entry is free, in a page that was full or has lost some more entries.
    #[cold]
    #[inline(never)]
    fn free_slow<K, V>(&mut self, arena: &Arena<K, V>, locked: &mut Locked, at: FlowAt<K, V>, was_full: bool) {
        let (page, id, pair) = (at.page(), at.index().page(), at.is_pair());
        if was_full {
            self.roomy.insert(id);
            self.lowest = self.roomy.first();
        }
        if page.live(locked) == 0 {
            self.empty += 1;
            if self.empty > 1 {
                self.release(arena, locked, id, pair);
            }
            if self.len < KEEPS_EMPTY_FROM {
                self.shrink(arena, locked, pair);
            }
        }
    }

    fn release<K, V>(&mut self, arena: &Arena<K, V>, locked: &mut Locked, id: u32, pair: bool) {
        self.pages.remove(id);
        self.roomy.remove(id);
        self.lowest = self.roomy.first();
        self.len -= 1;
        self.empty -= 1;
        if self.len == 0 && !self.keep {
            *self = Self::default();
        }
        let next = arena.page(id, pair).next_generation(locked);
        let page = Arena::<K, V>::page_id(id, pair);
        // Relaxed: pairs with `grow`.
        arena.generation(page).store(next, Ordering::Relaxed);
        // SAFETY: the page came from this pool in `grow`, no entry of it is in use, and it has just left this
        // slab.
        unsafe { arena.pool().free(page, 0) };
    }

    /// Returns the empty page that was kept to the pool, if there is one.
    pub(crate) fn shrink<K, V>(&mut self, arena: &Arena<K, V>, locked: &mut Locked, pair: bool) {
        let empty = self.roomy.iter().find(|&id| arena.page(id, pair).live(locked) == 0);
        if let Some(id) = empty {
            self.release(arena, locked, id, pair);
        }
    }

    /// The pages, lowest first.
    pub(crate) fn pages(&self) -> impl Iterator<Item = u32> + '_ {
        self.pages.iter()
    }

    /// The pages whose notices are in `slot`.
    pub(crate) fn pages_of_slot(&self, slot: usize) -> impl Iterator<Item = u32> + '_ {
        self.pages.every(notices::SLOTS, slot)
    }

    /// Returns `true` if the page belongs to this slab.
    pub(crate) fn owns(&self, page: u32) -> bool {
        self.pages.contains(page)
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.pages.memory() + self.roomy.memory()
    }
}
