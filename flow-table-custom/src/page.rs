//! A page of entries: 64 KiB that belong to one shard.
//!
//! ```text
//! +--------+---------+---------+-----+---------+------------------------+
//! | header | entry 0 | entry 1 |  …  | entry n | records of entry 0 … n |
//! |  192   | stride, a multiple of 64 if larger  | 8 bytes each; pairs 12  |
//! +--------+---------+---------+-----+---------+------------------------+
//! ```
//!
//! A record is what only the shard needs: the key's hash (of a free entry: the next free one), where the timer queue has
//! the flow filed, and for pairs the reply key's hash.
//!
//! # Ground rules
//!
//! * A page is handed from shard to shard by the pool, whose lock orders one owner's use before the next one's.
//! * `core`, `shard`, `id` and `pair` are written when a shard takes the page over, and read by holders of references to its entries.
//! * `notices` is atomic, with rules of its own.
//! * Everything else in the header, and the records, belong to the lock of the page's shard. Hashes are written before an entry
//!   is published and stay until it is freed, so whoever has a reference, or has the lock of a shard with a slot for the
//!   entry, may read them too.

use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr::{self, NonNull};

use crate::entry::{Entry, FlowEntry, Pair, Single};
use crate::hash::KeyHash;
use crate::index::EntryIndex;
use crate::memory::PAGE_BYTES;
use crate::notices::PageNotices;

const LINE_BYTES: usize = 64;
const HEADER_BYTES: usize = 192;
/// No free entry.
const NONE: u32 = u32::MAX;

#[repr(C)]
struct Header {
    core: *const (),
    shard: u32,
    id: u32,
    pair: bool,
    owned: Owned,
    notices: PageNotices,
}

/// The part of a header that belongs to the shard's lock.
struct Owned {
    /// The first free entry that was used before.
    free: u32,
    /// Entries from here on were never used since the page was taken over.
    fresh: u32,
    /// Entries in use, and those whose generations are exhausted.
    live: u32,
    /// No entry here starts below this generation.
    base_generation: u32,
    /// The highest generation that an entry here will have next.
    next_generation: u32,
}

#[cfg(not(flow_table_loom))]
const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);

/// How entries of one kind lie in a page.
struct Geometry {
    /// Where the first entry starts.
    first: usize,
    stride: usize,
    record_words: usize,
    places: usize,
}

impl Geometry {
    const fn new(size: usize, align: usize, record_words: usize) -> Self {
        let first = HEADER_BYTES.next_multiple_of(align);
        let line = if align > LINE_BYTES { align } else { LINE_BYTES };
        let stride = if size <= 32 && align <= 32 { 32 } else { size.next_multiple_of(line) };
        assert!(
            first + stride + record_words * 4 <= PAGE_BYTES,
            "a flow must fit in a page of 64 KiB: box large values"
        );
        let places = (PAGE_BYTES - first) / (stride + record_words * 4);
        let most = EntryIndex::PLACES;
        Self { first, stride, record_words, places: if places < most { places } else { most } }
    }
}

impl Geometry {
    #[inline]
    const fn entry(&self, place: u32) -> usize {
        self.first + place as usize * self.stride
    }

    #[inline]
    const fn record(&self, place: u32) -> usize {
        self.first + self.places * self.stride + place as usize * self.record_words * size_of::<u32>()
    }
}

struct Layout<K, V>(PhantomData<(K, V)>);

impl<K, V> Layout<K, V> {
    const SINGLE: Geometry = Geometry::new(size_of::<Single<K, V>>(), align_of::<Single<K, V>>(), 2);
    const PAIR: Geometry = Geometry::new(size_of::<Pair<K, V>>(), align_of::<Pair<K, V>>(), 3);

    /// The offset of an entry in its page. Two expressions, so that each is one of constants.
    #[inline]
    const fn entry(place: u32, pair: bool) -> usize {
        if pair { const { &Self::PAIR }.entry(place) } else { const { &Self::SINGLE }.entry(place) }
    }

    /// The offset of an entry's record in its page.
    #[inline]
    const fn record(place: u32, pair: bool) -> usize {
        if pair { const { &Self::PAIR }.record(place) } else { const { &Self::SINGLE }.record(place) }
    }

    /// The place of the entry at `offset` in its page.
    #[inline]
    const fn place(offset: usize, pair: bool) -> u32 {
        let place = if pair {
            (offset - Self::PAIR.first) / Self::PAIR.stride
        } else {
            (offset - Self::SINGLE.first) / Self::SINGLE.stride
        };
        place as u32
    }

    const fn places(pair: bool) -> u32 {
        if pair { Self::PAIR.places as u32 } else { Self::SINGLE.places as u32 }
    }
}

/// Bytes that an entry takes in its page, its record included.
#[cfg(all(test, not(flow_table_loom)))]
pub(crate) const fn entry_bytes<K, V>(pair: bool) -> usize {
    let geometry = if pair { &Layout::<K, V>::PAIR } else { &Layout::<K, V>::SINGLE };
    geometry.stride + geometry.record_words * 4
}

/// The entry at `place` of the page at `page`.
///
/// # Safety
///
/// 1. `page` is a page of entries of these K, V and this `pair` that was taken over at least once.
/// 2. The pool outlives the result.
#[inline]
pub(crate) unsafe fn entry_at<K, V>(page: NonNull<u8>, place: u32, pair: bool) -> Entry<K, V> {
    let offset = Layout::<K, V>::entry(place, pair);
    // SAFETY: by (1) the page has this place, 64 KiB in all.
    let pointer = unsafe { page.add(offset) }.cast::<FlowEntry<K, V>>();
    // SAFETY: by (1) and (2).
    unsafe { Entry::new(pointer) }
}

/// A page, by its address. Which methods may be called when is in the ground rules.
pub(crate) struct Page<K, V> {
    header: NonNull<Header>,
    pair: bool,
    flows: PhantomData<(K, V)>,
}

impl<K, V> Page<K, V> {
    /// # Safety
    ///
    /// 1. `address` is a page of entries of these K, V and this `pair`, and the pool outlives the result.
    #[inline]
    pub(crate) const unsafe fn new(address: NonNull<u8>, pair: bool) -> Self {
        Self { header: address.cast(), pair, flows: PhantomData }
    }

    /// The page that `entry` lies in, and its index.
    pub(crate) fn of(entry: Entry<K, V>) -> (Self, EntryIndex) {
        let address = entry.as_ptr().addr().get();
        let start = address & !(PAGE_BYTES - 1);
        let header =
            NonNull::new(ptr::with_exposed_provenance_mut::<Header>(start)).expect("a page is not at zero");
        // SAFETY: written in `take_over`, before any entry of the page was published.
        let pair = unsafe { (&raw const (*header.as_ptr()).pair).read() };
        let page = Self { header, pair, flows: PhantomData };
        let place = Layout::<K, V>::place(address - start, pair);
        let index = EntryIndex::new(page.id(), place, pair);
        (page, index)
    }

    /// Starts the page's life in a shard. No entry starts below `generation`, the last owner's
    /// [`next_generation`](Self::next_generation).
    ///
    /// # Safety
    ///
    /// 1. The pool has just handed the page out, for entries of this kind.
    pub(crate) unsafe fn take_over(&self, core: *const (), shard: u32, id: u32, generation: u32) {
        let (base_generation, next_generation) = (generation, generation);
        let owned = Owned { free: NONE, fresh: 0, live: 0, base_generation, next_generation };
        let header = Header { core, shard, id, pair: self.pair, owned, notices: PageNotices::new() };
        // SAFETY: by (1) nobody else uses the page.
        unsafe { self.header.write(header) };
    }

    /// The address of the table's core.
    #[inline]
    pub(crate) fn core(&self) -> *const () {
        // SAFETY: written in `take_over`, before any entry of the page was published.
        unsafe { (&raw const (*self.header.as_ptr()).core).read() }
    }

    #[inline]
    pub(crate) fn shard(&self) -> usize {
        // SAFETY: as for `core`.
        unsafe { (&raw const (*self.header.as_ptr()).shard).read() as usize }
    }

    /// The notices about its flows.
    pub(crate) fn notices<'c>(&self) -> &'c PageNotices {
        // SAFETY: as for `core`; all atomics, in memory that outlives us.
        unsafe { &(*self.header.as_ptr()).notices }
    }

    fn id(&self) -> u32 {
        // SAFETY: as for `core`.
        unsafe { (&raw const (*self.header.as_ptr()).id).read() }
    }

    fn places(&self) -> u32 {
        Layout::<K, V>::places(self.pair)
    }

    /// The lock's part of the header. Under the shard's lock.
    fn owned(&self) -> *mut Owned {
        // SAFETY: a place within the header; nothing is read.
        unsafe { &raw mut (*self.header.as_ptr()).owned }
    }

    /// The words of an entry's record: hash or next free, timer position, reply hash.
    fn record(&self, place: u32) -> NonNull<u32> {
        let address = self.header.as_ptr().expose_provenance() + Layout::<K, V>::record(place, self.pair);
        NonNull::new(ptr::with_exposed_provenance_mut(address)).expect("a page is not at zero")
    }

    /// Takes a free entry; gives it with the generation to publish it in. Under the shard's lock.
    pub(crate) fn alloc(&self) -> Option<(u32, u32)> {
        // SAFETY: it belongs to the lock that the caller holds.
        let owned = unsafe { &mut *self.owned() };
        let place = if owned.free != NONE {
            let place = owned.free;
            // SAFETY: records belong to the lock; a free entry's first word is the next free one.
            owned.free = unsafe { self.record(place).read() };
            self.prefetch_free(owned.free);
            place
        } else if owned.fresh < self.places() {
            owned.fresh += 1;
            owned.fresh - 1
        } else {
            return None;
        };
        owned.live += 1;
        let base = owned.base_generation;
        // SAFETY: `place` is within the page.
        let entry = unsafe { entry_at::<K, V>(self.header.cast(), place, self.pair) };
        Some((place, entry.refs().generation().max(base)))
    }

    /// Starts loading what the next `alloc` reads: it may have been freed long ago.
    #[inline]
    fn prefetch_free(&self, place: u32) {
        if place != NONE {
            // SAFETY: `place` is within the page.
            unsafe { entry_at::<K, V>(self.header.cast(), place, self.pair) }.prefetch(false);
            self.prefetch_record(place);
        }
    }

    /// Starts loading what `alloc` reads first.
    #[inline]
    pub(crate) fn prefetch(&self) {
        crate::prefetch::read(self.header.as_ptr());
    }

    /// Frees an entry whose flow is gone; whether it can be used again. Under the shard's lock.
    pub(crate) fn free(&self, place: u32) -> bool {
        // SAFETY: it belongs to the lock that the caller holds.
        let owned = unsafe { &mut *self.owned() };
        // SAFETY: `place` is within the page.
        let entry = unsafe { entry_at::<K, V>(self.header.cast(), place, self.pair) };
        // An entry without a next generation is never used again, and counts as in use for ever.
        let Some(next) = entry.refs().retire() else { return false };
        owned.next_generation = owned.next_generation.max(next);
        // SAFETY: records belong to the lock that the caller holds.
        unsafe { self.record(place).write(owned.free) };
        owned.free = place;
        owned.live -= 1;
        true
    }

    /// Entries in use. Under the shard's lock.
    pub(crate) fn live(&self) -> u32 {
        // SAFETY: it belongs to the lock that the caller holds.
        unsafe { (*self.owned()).live }
    }

    /// Whether every entry is in use. Under the shard's lock.
    pub(crate) fn is_full(&self) -> bool {
        // SAFETY: it belongs to the lock that the caller holds.
        let owned = unsafe { &*self.owned() };
        owned.free == NONE && owned.fresh == self.places()
    }

    /// The generation below which entries must not start when the page is used again. Under the shard's lock.
    pub(crate) fn next_generation(&self) -> u32 {
        // SAFETY: it belongs to the lock that the caller holds.
        unsafe { (*self.owned()).next_generation }
    }

    /// Places that may have an entry in use. Under the shard's lock.
    pub(crate) fn used_places(&self) -> u32 {
        // SAFETY: it belongs to the lock that the caller holds.
        unsafe { (*self.owned()).fresh }
    }

    /// Notes the hashes of a new flow's keys. Under the shard's lock, before the entry is published.
    pub(crate) fn set_hashes(&self, place: u32, forward: KeyHash, reply: Option<KeyHash>) {
        let record = self.record(place);
        // SAFETY: records belong to the lock; a pair's has a third word, and only pairs have reply keys.
        unsafe {
            record.write(forward.to_bits());
            if let Some(reply) = reply {
                record.add(2).write(reply.to_bits());
            }
        }
    }

    /// The hash of the forward key. See the ground rules for who may ask.
    #[inline]
    pub(crate) fn hash(&self, place: u32) -> KeyHash {
        // SAFETY: written by `set_hashes` before the entry was published.
        KeyHash::from_bits(unsafe { self.record(place).read() })
    }

    /// The hash of the reply key of a pair. See the ground rules for who may ask.
    pub(crate) fn reply_hash(&self, place: u32) -> KeyHash {
        debug_assert!(self.pair, "only pairs have a reply key");
        // SAFETY: as for `hash`; a pair's record has a third word.
        KeyHash::from_bits(unsafe { self.record(place).add(2).read() })
    }

    /// Where the timer queue has the entry filed. Under the shard's lock.
    #[inline]
    pub(crate) fn timer(&self, place: u32) -> u32 {
        // SAFETY: records belong to the lock that the caller holds.
        unsafe { self.record(place).add(1).read() }
    }

    /// Notes where the timer queue has the entry filed. Under the shard's lock.
    #[inline]
    pub(crate) fn set_timer(&self, place: u32, position: u32) {
        // SAFETY: records belong to the lock that the caller holds.
        unsafe { self.record(place).add(1).write(position) };
    }

    /// Starts loading an entry's record.
    #[inline]
    pub(crate) fn prefetch_record(&self, place: u32) {
        crate::prefetch::read(self.record(place).as_ptr());
    }
}
