use crate::core::Core;
use crate::index::EntryIndex;
use crate::memory::{AllocError, PageId};
use crate::notices;
use crate::page_set::PageSet;
use crate::sync::Ordering;

/// The pages of one kind that a shard has, under the shard's lock. New flows go to the lowest page with a free entry, so
/// that long-lived ones stay dense and high pages empty out.
#[derive(Default)]
pub(crate) struct Slab {
    pages: PageSet,
    /// How many they are.
    len: usize,
    /// Those with a free entry.
    roomy: PageSet,
    /// The lowest of them.
    lowest: Option<u32>,
    /// Those with no entry in use. A slab of several pages keeps one, so that a flow that comes and goes does not take and
    /// return a page.
    empty: usize,
}

/// Pages from which on a slab keeps an empty one.
const KEEPS_EMPTY_FROM: usize = 4;

impl Slab {
    /// Takes a free entry; gives it with the generation to publish it in.
    #[inline]
    pub(crate) fn alloc<K, V>(
        &mut self,
        core: &Core<K, V>,
        shard: usize,
        pair: bool,
    ) -> Result<(EntryIndex, u32), AllocError> {
        let id = match self.lowest {
            Some(id) => id,
            None => self.grow(core, shard, pair)?,
        };
        let page = core.page(id, pair);
        if page.live() == 0 {
            self.empty -= 1;
        }
        let (place, generation) = page.alloc().expect("a roomy page has a free entry");
        if page.is_full() {
            self.roomy.remove(id);
            self.lowest = self.roomy.first();
            if let Some(next) = self.lowest {
                core.page(next, pair).prefetch();
            }
        }
        Ok((EntryIndex::new(id, place, pair), generation))
    }

    #[cold]
    #[inline(never)]
    fn grow<K, V>(&mut self, core: &Core<K, V>, shard: usize, pair: bool) -> Result<u32, AllocError> {
        let pool = core.pool(pair);
        let taken = pool.alloc(0)?;
        let id = taken.get();
        if let Err(error) = self.pages.reserve(id).and_then(|()| self.roomy.reserve(id)) {
            // SAFETY: the pool has just handed the page out, and nobody has used it.
            unsafe { pool.free(taken, 0) };
            return Err(error);
        }
        // Relaxed: pairs with `release`, whose owner of the page came before this one by the pool's lock.
        let generation = pool.word(taken).load(Ordering::Relaxed);
        // SAFETY: the pool has just handed the page out, and serves entries of this kind only.
        unsafe { core.page(id, pair).take_over(core.address(), shard as u32, id, generation) };
        self.pages.insert(id);
        self.roomy.insert(id);
        self.lowest = self.roomy.first();
        self.len += 1;
        self.empty += 1;
        Ok(id)
    }

    /// Frees an entry whose flow is gone.
    pub(crate) fn free<K, V>(&mut self, core: &Core<K, V>, index: EntryIndex) {
        let (id, pair) = (index.page(), index.is_pair());
        let page = core.page(id, pair);
        let was_full = page.is_full();
        if !page.free(index.place()) {
            return;
        }
        if was_full {
            self.roomy.insert(id);
            self.lowest = self.roomy.first();
        }
        if page.live() == 0 {
            self.empty += 1;
            if self.empty > 1 {
                self.release(core, id, pair);
            }
            if self.len < KEEPS_EMPTY_FROM {
                self.shrink(core, pair);
            }
        }
    }

    fn release<K, V>(&mut self, core: &Core<K, V>, id: u32, pair: bool) {
        self.pages.remove(id);
        self.roomy.remove(id);
        self.lowest = self.roomy.first();
        self.len -= 1;
        self.empty -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
        let (pool, taken) = (core.pool(pair), PageId::new(id));
        // Relaxed: pairs with `grow`.
        pool.word(taken).store(core.page(id, pair).next_generation(), Ordering::Relaxed);
        // SAFETY: the page came from this pool in `grow`, no entry of it is in use, and it left this slab just now.
        unsafe { pool.free(taken, 0) };
    }

    /// Gives the page back that was kept although it is empty.
    pub(crate) fn shrink<K, V>(&mut self, core: &Core<K, V>, pair: bool) {
        let empty = self.roomy.iter().find(|&id| core.page(id, pair).live() == 0);
        if let Some(id) = empty {
            self.release(core, id, pair);
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

    /// Whether the page is one of this slab's.
    pub(crate) fn owns(&self, page: u32) -> bool {
        self.pages.contains(page)
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.pages.memory() + self.roomy.memory()
    }
}
