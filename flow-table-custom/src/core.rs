//! What the table and its handles share.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::{Arc, Weak};
use std::thread;

use crossbeam::utils::CachePadded;
use flow_table_api::{Key, KeyHasher, TableConfig, Timestamp, Value};

use crate::buckets::bucket_arrays;
use crate::bursts::Bursts;
use crate::capacity::Capacity;
use crate::due::DueTimes;
use crate::entry::Entry;
use crate::hash::{KeyHash, Tag};
use crate::index::EntryIndex;
use crate::keeper::Keeper;
use crate::limbo::Limbo;
use crate::memory::{Arrays, PageId, PagePool};
use crate::page::{Page, entry_at};
use crate::segment::Segment;
use crate::shard::{Shard, ShardInner};
use crate::sync::{AtomicUsize, MutexGuard};

/// For so many pages of flows, one that is free is kept for the next flows.
const IN_USE_PER_FREE: usize = 2;
/// Log2 of the number of segments. The same for all tables, however small, as the capacity may be raised: with 16 million flows,
/// a segment has some 8,000, few enough that replacing its array takes microseconds. Fewer where schedules are explored, so that
/// segments fill.
const SEGMENT_BITS: u32 = if cfg!(flow_table_shuttle) { 2 } else { 11 };
const SEGMENTS: usize = 1 << SEGMENT_BITS;
const SHARDS_MAX: usize = if SEGMENTS < 64 { SEGMENTS } else { 64 };

const _: () = assert!(SEGMENT_BITS + KeyHash::BUCKET_BITS + Tag::BITS <= u32::BITS, "the parts of a hash overlap");

pub(crate) struct Core<K, V> {
    pub(crate) hasher: KeyHasher,
    pub(crate) segments: Box<[Segment; SEGMENTS]>,
    shard_bits: u32,
    pub(crate) shards: Box<[CachePadded<Shard>]>,
    pub(crate) due: DueTimes,
    pub(crate) capacity: Capacity,
    pub(crate) bursts: Bursts,
    pub(crate) limbo: Limbo,
    singles: PagePool,
    pairs: PagePool,
    pub(crate) buckets: Arrays,
    /// The shard at which the next reap starts.
    pub(crate) reap_from: AtomicUsize,
    pub(crate) keeper: Keeper<Arc<Core<K, V>>>,
    me: Weak<Core<K, V>>,
    flows: PhantomData<(K, V)>,
}

// SAFETY: keys and values are handed between threads, and shared by them, only where K and V allow both; everything else
// in the core is atomics, locks, and memory that its ground rules protect.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Core<K, V> {}
// SAFETY: as for Send.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Core<K, V> {}

impl<K: Key, V: Value> Core<K, V> {
    pub(crate) fn new(config: &TableConfig) -> Arc<Self> {
        let processors = thread::available_parallelism().map_or(4, |count| count.get());
        let shards = match config.wished_shards() {
            Some(wished) => wished.get(),
            None => processors * 4,
        };
        let shards = shards.min(SHARDS_MAX).next_power_of_two();
        let shard = || CachePadded::new(Shard::new(SEGMENTS / shards));
        Arc::new_cyclic(|me| Self {
            hasher: config.hasher(),
            segments: Box::new(std::array::from_fn(|_| Segment::new())),
            shard_bits: shards.trailing_zeros(),
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            due: DueTimes::new(shards),
            capacity: Capacity::new(config.capacity()),
            bursts: Bursts::new((processors * 2).next_power_of_two()),
            limbo: Limbo::new(),
            singles: PagePool::new(1 << EntryIndex::PAGE_BITS, IN_USE_PER_FREE),
            pairs: PagePool::new(1 << EntryIndex::PAGE_BITS, IN_USE_PER_FREE),
            buckets: bucket_arrays(),
            reap_from: AtomicUsize::new(0),
            keeper: Keeper::new(),
            me: me.clone(),
            flows: PhantomData,
        })
    }
}

impl<K, V> Core<K, V> {
    /// Another owner of the core. It is there while the table or any of its entries is.
    pub(crate) fn share(&self) -> Arc<Self> {
        self.me.upgrade().expect("whoever can call has a reference to a flow or the table")
    }

    /// The identity of the table.
    #[inline]
    pub(crate) fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    #[inline]
    pub(crate) fn pool(&self, pair: bool) -> &PagePool {
        if pair { &self.pairs } else { &self.singles }
    }

    /// The page with this number, which a shard has or had.
    #[inline]
    pub(crate) fn page(&self, id: u32, pair: bool) -> Page<K, V> {
        // SAFETY: page numbers are handed on by the slots and locks of this core only, after the pool gave the page out;
        // the pool serves entries of this kind, and lives as long as the core.
        unsafe { Page::new(self.pool(pair).address(PageId::new(id)), pair) }
    }

    #[inline]
    pub(crate) fn page_of(&self, index: EntryIndex) -> Page<K, V> {
        self.page(index.page(), index.is_pair())
    }

    #[inline]
    pub(crate) fn entry(&self, index: EntryIndex) -> Entry<K, V> {
        let pair = index.is_pair();
        // SAFETY: as for `page`; indices are made by `Slab::alloc` of a page that the shard has taken over.
        unsafe {
            let page: NonNull<u8> = self.pool(pair).address(PageId::new(index.page()));
            entry_at(page, index.place(), pair)
        }
    }

    #[inline]
    pub(crate) fn segment(&self, hash: KeyHash) -> &Segment {
        &self.segments[hash.prefix(SEGMENT_BITS)]
    }

    /// The segment's number within its shard.
    #[inline]
    pub(crate) fn local_segment(&self, hash: KeyHash) -> usize {
        hash.prefix(SEGMENT_BITS) & ((1 << (SEGMENT_BITS - self.shard_bits)) - 1)
    }

    #[inline]
    pub(crate) fn shard_of(&self, hash: KeyHash) -> usize {
        hash.prefix(self.shard_bits)
    }

    #[inline]
    pub(crate) fn lock(&self, shard: usize) -> MutexGuard<'_, ShardInner> {
        self.shards[shard].lock()
    }

    /// A flow ended without its shard's lock: its shard learns of it, and the next reap finds it.
    pub(crate) fn notify(&self, entry: Entry<K, V>) {
        let (page, index) = Page::of(entry);
        let shard = page.shard();
        self.shards[shard].notices.leave(index.page(), page.notices(), index.place());
        self.due.lower(shard, Timestamp::ZERO);
    }
}
