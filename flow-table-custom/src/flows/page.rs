//! A page of entries: 64 KiB that belong to one shard.
//!
//! ```text
//! +--------+---------+---------+-----+---------+------------------------+
//! | header | entry 0 | entry 1 |  …  | entry n | records of entry 0 … n |
//! |  192   | stride, a multiple of 64            | 12 bytes each; pairs 16|
//! +--------+---------+---------+-----+---------+------------------------+
//! ```
//!
//! The place of an entry is the line at which it starts, so that its address needs no multiplication.
//!
//! A record holds what only the shard needs: the hash of the key (in a free entry: the next free one), the
//! position of the flow in the timer queue, the era of its birth (see `grace`), and for pairs the hash of the
//! reply key.
//!
//! # Ground rules
//!
//! * A page is handed from shard to shard by the pool, whose lock orders one owner's use before the next one's.
//! * `core`, `shard`, `id`, `pair` and `slack` are written when a shard takes the page over, and read by holders
//!   of references to its entries.
//! * `notices` is atomic, with rules of its own.
//! * Everything else in the header, and the records, belong to the lock of the page's shard. Hashes and births are
//!   written before an entry is published and stay until it is freed. So they may also be read with a reference to
//!   the flow, by the owner of a dead one, or with the lock of a shard that has a slot for the entry.

use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::time::Duration;

use super::entry::{Entry, Pair, Single};
use super::locked::Locked;
use super::notices::PageNotices;
use crate::hash::{KeyHash, KeyHashes};
use crate::ids::EntryIndex;
use crate::memory::PAGE_BYTES;

const LINE_BYTES: usize = 64;
const HEADER_BYTES: usize = 192;
/// No free entry.
const NONE: u32 = u32::MAX;

#[repr(C)]
struct Header {
    core: *const (),
    shard: u32,
    id: u32,
    locked: LockedPart,
    pair: bool,
    /// That of the table.
    slack: Duration,
    notices: PageNotices,
}

/// The part of a header that belongs to the shard's lock.
struct LockedPart {
    /// The first free entry that was used before.
    free: u32,
    /// Entries from here on were never used since the page was taken over.
    fresh: u32,
    /// Entries in use, and those whose generations are exhausted.
    live: u32,
    /// No entry here starts below this generation.
    base_generation: u32,
    /// The highest generation that any entry here will have next.
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
    entries: usize,
}

impl Geometry {
    const fn new(size: usize, align: usize, record_words: usize) -> Self {
        let first = HEADER_BYTES.next_multiple_of(align);
        let line = if align > LINE_BYTES { align } else { LINE_BYTES };
        let stride = size.next_multiple_of(line);
        assert!(
            first + stride + record_words * 4 <= PAGE_BYTES,
            "a flow must fit in a page of 64 KiB: box large values"
        );
        Self { first, stride, record_words, entries: (PAGE_BYTES - first) / (stride + record_words * 4) }
    }

    /// The place of the entry with this number.
    const fn place(&self, number: u32) -> u32 {
        (self.first + number as usize * self.stride) as u32 / LINE_BYTES as u32
    }

    #[inline]
    const fn record(&self, place: u32) -> usize {
        let number = (place as usize * LINE_BYTES - self.first) / self.stride;
        self.first + self.entries * self.stride + number * self.record_words * size_of::<u32>()
    }
}

const _: () = assert!(EntryIndex::PLACES * LINE_BYTES == PAGE_BYTES);

struct Layout<K, V>(PhantomData<(K, V)>);

impl<K, V> Layout<K, V> {
    const SINGLE: Geometry = Geometry::new(size_of::<Single<K, V>>(), align_of::<Single<K, V>>(), 3);
    const PAIR: Geometry = Geometry::new(size_of::<Pair<K, V>>(), align_of::<Pair<K, V>>(), 4);

    const fn geometry(pair: bool) -> &'static Geometry {
        if pair { const { &Self::PAIR } } else { const { &Self::SINGLE } }
    }

    /// The offset of an entry's record in its page. There are two expressions, so that each of them uses
    /// constants only.
    #[inline]
    const fn record(place: u32, pair: bool) -> usize {
        if pair { const { &Self::PAIR }.record(place) } else { const { &Self::SINGLE }.record(place) }
    }
}

/// Bytes that an entry takes in its page, its record included.
#[cfg(all(test, not(flow_table_loom)))]
pub(crate) const fn entry_bytes<K, V>(pair: bool) -> usize {
    let geometry = Layout::<K, V>::geometry(pair);
    geometry.stride + geometry.record_words * 4
}

/// The number of entries in a page.
pub(crate) const fn entries_in_page<K, V>(pair: bool) -> usize {
    Layout::<K, V>::geometry(pair).entries
}

/// The offset of an entry in its page.
#[inline]
pub(super) const fn entry_offset(place: u32) -> usize {
    place as usize * LINE_BYTES
}

/// A page, by its address. Methods for what belongs to the lock of its shard need a [`Locked`].
pub(crate) struct Page<K, V> {
    header: NonNull<Header>,
    pair: bool,
    flows: PhantomData<(K, V)>,
}

impl<K, V> Clone for Page<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Page<K, V> {}

impl<K, V> Page<K, V> {
    /// # Safety
    ///
    /// 1. `address` is a page of entries of these K, V and this `pair`, and the pool outlives the result.
    #[inline]
    pub(crate) const unsafe fn new(address: NonNull<u8>, pair: bool) -> Self {
        Self { header: address.cast(), pair, flows: PhantomData }
    }

    /// The page of `entry`, which is of this kind.
    #[inline]
    pub(super) fn of(entry: Entry<K, V>, pair: bool) -> Self {
        let start = entry.as_ptr().addr().get() & !(PAGE_BYTES - 1);
        // SAFETY: the entry lies in a page, which does not start at zero.
        let header = unsafe { NonNull::new_unchecked(ptr::with_exposed_provenance_mut(start)) };
        Self { header, pair, flows: PhantomData }
    }

    /// The index of `entry`.
    pub(super) fn index_of(entry: Entry<K, V>) -> EntryIndex {
        let page = Self::of(entry, false);
        // SAFETY: as for `core`.
        let pair = unsafe { (&raw const (*page.header.as_ptr()).pair).read() };
        let place = entry.as_ptr().addr().get() % PAGE_BYTES / LINE_BYTES;
        EntryIndex::new(page.id(), place as u32, pair)
    }

    /// Starts the page's life in a shard. No entry starts below `generation`.
    ///
    /// # Safety
    ///
    /// 1. The pool has just handed the page out, for entries of this kind.
    pub(crate) unsafe fn take_over(
        &self,
        locked: &mut Locked,
        core: *const (),
        slack: Duration,
        id: u32,
        generation: u32,
    ) {
        let shard = locked.shard;
        let (base_generation, next_generation) = (generation, generation);
        let locked = LockedPart { free: NONE, fresh: 0, live: 0, base_generation, next_generation };
        let header = Header { core, shard, id, locked, pair: self.pair, slack, notices: PageNotices::new() };
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

    /// The slack of refreshes, from the page of `entry`, whatever its kind.
    #[inline]
    pub(crate) fn slack_of<'c>(entry: Entry<K, V>) -> &'c Duration
    where
        K: 'c,
        V: 'c,
    {
        Self::of(entry, false).slack()
    }

    /// The slack of refreshes.
    #[inline]
    pub(crate) fn slack<'c>(&self) -> &'c Duration {
        // SAFETY: as for `core`; the memory outlives us.
        unsafe { &(*self.header.as_ptr()).slack }
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

    fn geometry(&self) -> &'static Geometry {
        Layout::<K, V>::geometry(self.pair)
    }

    /// The lock's part of the header.
    #[inline]
    fn part<'l>(&self, locked: &'l mut Locked) -> &'l mut LockedPart {
        debug_assert_eq!(self.shard(), locked.shard as usize, "the lock of another shard");
        // SAFETY: it belongs to the lock of the page's shard, and `locked` lends it to one caller at a time.
        unsafe { &mut (*self.header.as_ptr()).locked }
    }

    /// The entry at a place.
    #[inline]
    pub(crate) fn entry(&self, place: u32) -> Entry<K, V> {
        // SAFETY: (1) an entry starts at this place of a page that was taken over, which has 64 KiB; (2) by
        // `new`.
        unsafe { Entry::new(self.header.byte_add(entry_offset(place)).cast()) }
    }

    /// The words of an entry's record: hash or next free, timer position, birth, reply hash.
    fn record(&self, place: u32) -> NonNull<u32> {
        let address = self.header.as_ptr().expose_provenance() + Layout::<K, V>::record(place, self.pair);
        // SAFETY: the record lies in a page, which does not start at zero.
        unsafe { NonNull::new_unchecked(ptr::with_exposed_provenance_mut(address)) }
    }

    /// Takes a free entry, and returns its place and the generation in which to publish it.
    #[inline]
    pub(super) fn alloc(&self, locked: &mut Locked) -> Option<(u32, u32)> {
        let part = self.part(locked);
        let place = if part.free != NONE {
            let place = part.free;
            // SAFETY: records belong to the lock; a free entry's first word is the next free one.
            part.free = unsafe { self.record(place).read() };
            if part.free != NONE {
                // The next one may have been freed long ago.
                self.entry(part.free).prefetch(false);
                self.prefetch_record(part.free);
            }
            place
        } else if (part.fresh as usize) < self.geometry().entries {
            part.fresh += 1;
            self.geometry().place(part.fresh - 1)
        } else {
            return None;
        };
        part.live += 1;
        Some((place, self.entry(place).refs().generation().max(part.base_generation)))
    }

    /// Starts loading what `alloc` reads first.
    #[inline]
    pub(crate) fn prefetch(&self) {
        crate::prefetch::read(self.header.as_ptr());
    }

    /// Frees an entry whose flow is gone. Returns `false` if it can never be used again.
    #[inline(always)]
    pub(super) fn free(&self, locked: &mut Locked, place: u32) -> bool {
        let part = self.part(locked);
        // An entry without a next generation is never used again, and counts as in use for ever.
        let Some(next) = self.entry(place).refs().retire() else { return false };
        part.next_generation = part.next_generation.max(next);
        // SAFETY: records belong to the lock.
        unsafe { self.record(place).write(part.free) };
        part.free = place;
        part.live -= 1;
        true
    }

    /// Entries in use.
    #[inline]
    pub(crate) fn live(&self, locked: &mut Locked) -> u32 {
        self.part(locked).live
    }

    /// Returns `true` if every entry is in use.
    #[inline]
    pub(crate) fn is_full(&self, locked: &mut Locked) -> bool {
        let part = self.part(locked);
        part.free == NONE && part.fresh as usize == self.geometry().entries
    }

    /// The generation below which entries must not start when the page is used again.
    pub(super) fn next_generation(&self, locked: &mut Locked) -> u32 {
        self.part(locked).next_generation
    }

    /// The place of the entry with this number, if it may be in use.
    pub(crate) fn used_place(&self, locked: &mut Locked, number: u32) -> Option<u32> {
        (number < self.part(locked).fresh).then(|| self.geometry().place(number))
    }

    /// The places at which an entry may be in use.
    pub(crate) fn used_places(&self, locked: &mut Locked) -> impl Iterator<Item = u32> + use<K, V> {
        let geometry = self.geometry();
        (0..self.part(locked).fresh).map(|number| geometry.place(number))
    }

    /// Writes the record of a new flow that is filed nowhere, before the entry is published.
    #[inline]
    pub(super) fn start_record(&self, _: &mut Locked, place: u32, hashes: KeyHashes, birth: u32) {
        let record = self.record(place);
        // SAFETY: records belong to the lock; a pair's has a fourth word, and only pairs have reply keys.
        unsafe {
            record.write(hashes.forward.to_bits());
            record.add(1).write(0);
            record.add(2).write(birth);
            if let Some(reply) = hashes.reply {
                record.add(3).write(reply.to_bits());
            }
        }
    }

    /// The hash of the forward key. The ground rules say who may read it.
    #[inline]
    pub(crate) fn hash(&self, place: u32) -> KeyHash {
        // SAFETY: written by `start_record` before the entry was published.
        KeyHash::from_bits(unsafe { self.record(place).read() })
    }

    /// The hash of the reply key of a pair. The ground rules say who may read it.
    pub(crate) fn reply_hash(&self, place: u32) -> KeyHash {
        debug_assert!(self.pair, "only pairs have a reply key");
        // SAFETY: as for `hash`; a pair's record has a fourth word.
        KeyHash::from_bits(unsafe { self.record(place).add(3).read() })
    }

    /// The era of the flow's birth. The ground rules say who may read it.
    #[inline]
    pub(super) fn birth(&self, place: u32) -> u32 {
        // SAFETY: as for `hash`.
        unsafe { self.record(place).add(2).read() }
    }

    /// The entry's position in the timer queue.
    #[inline]
    pub(crate) fn timer(&self, _: &Locked, place: u32) -> u32 {
        // SAFETY: records belong to the lock.
        unsafe { self.record(place).add(1).read() }
    }

    /// Stores the entry's position in the timer queue.
    #[inline]
    pub(crate) fn set_timer(&self, _: &mut Locked, place: u32, position: u32) {
        // SAFETY: records belong to the lock.
        unsafe { self.record(place).add(1).write(position) };
    }

    /// Starts loading an entry's record.
    #[inline]
    pub(crate) fn prefetch_record(&self, place: u32) {
        crate::prefetch::read(self.record(place).as_ptr());
    }
}
