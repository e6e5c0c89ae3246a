use std::borrow::Borrow;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crossbeam::utils::CachePadded;
use dashmap::DashMap;

use crate::flow::Record;
use crate::id::SlotId;
use crate::watermark::Watermark;

/// The map from keys to weak references.
///
/// Keys are compared in [`get`](Self::get) alone. Everything that changes the map finds its slot by [`SlotId`] and the
/// stored hash: it calls nothing of the user's, so it cannot panic half way, and it cannot hit the slot of another flow
/// (contract L4, R3, V4). That is sound because whoever fills a slot holds the key's stripe and has just looked.
///
/// **Ground rule**: no guard of the map leaves this file, and nothing that may run user code is dropped under one.
pub(crate) struct Slots<K, V> {
    map: DashMap<SlotKey<K>, Weak<Record<K, V>>, BuildHasherDefault<StoredHash>>,
    /// The map's own `len` would take every shard's lock.
    count: CachePadded<Watermark>,
}

/// What stands under a key.
pub(crate) struct Occupant<K, V> {
    /// The name of the slot.
    pub(crate) slot: SlotId,
    /// The flow, unless it is gone: then whoever drops it is about to remove the slot.
    pub(crate) flow: Option<Arc<Record<K, V>>>,
}

/// What the map takes for a key. Equal by name, not by the user's key.
struct SlotKey<K> {
    name: Name,
    key: K,
}

/// Where a slot is and what it is called.
struct Name {
    hash: u64,
    /// Changes only under the exclusive guard of the slot's shard, which orders all accesses: `Relaxed` everywhere.
    slot: AtomicU64,
}

impl Name {
    const fn new(hash: u64, slot: SlotId) -> Self {
        Self { hash, slot: AtomicU64::new(slot.to_bits()) }
    }

    fn slot(&self) -> SlotId {
        SlotId::from_bits(self.slot.load(Ordering::Relaxed))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.slot() == other.slot()
    }
}

impl Eq for Name {}

impl<K> Hash for SlotKey<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<K> PartialEq for SlotKey<K> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<K> Eq for SlotKey<K> {}

impl<K> Borrow<Name> for SlotKey<K> {
    fn borrow(&self) -> &Name {
        &self.name
    }
}

/// The view of a slot by which a key finds it.
trait Keyed<K> {
    fn hash(&self) -> u64;
    fn key(&self) -> &K;
}

/// A key to look up.
struct Wanted<'k, K> {
    hash: u64,
    key: &'k K,
}

impl<K> Keyed<K> for Wanted<'_, K> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &K {
        self.key
    }
}

impl<K> Keyed<K> for SlotKey<K> {
    fn hash(&self) -> u64 {
        self.name.hash
    }

    fn key(&self) -> &K {
        &self.key
    }
}

impl<'k, K: 'k> Borrow<dyn Keyed<K> + 'k> for SlotKey<K> {
    fn borrow(&self) -> &(dyn Keyed<K> + 'k) {
        self
    }
}

impl<K> Hash for dyn Keyed<K> + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(Keyed::hash(self));
    }
}

impl<K: Eq> PartialEq for dyn Keyed<K> + '_ {
    fn eq(&self, other: &Self) -> bool {
        Keyed::hash(self) == Keyed::hash(other) && self.key() == other.key()
    }
}

impl<K: Eq> Eq for dyn Keyed<K> + '_ {}

/// Passes on the hash that a slot stores: no rehash runs user code.
#[derive(Default)]
pub(crate) struct StoredHash(u64);

impl Hasher for StoredHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("slots feed one 64-bit word");
    }
}

impl<K, V> Slots<K, V> {
    /// Bytes of a slot: entry and control byte.
    const SLOT_BYTES: usize = size_of::<(SlotKey<K>, Weak<Record<K, V>>)>() + 1;

    /// An empty map of `shards` shards, a power of two above one.
    pub(crate) fn new(shards: usize) -> Self {
        let map = DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), shards);
        Self { map, count: CachePadded::default() }
    }

    /// The number of slots.
    pub(crate) fn count(&self) -> &Watermark {
        &self.count
    }

    /// The occupant of `key`. `Eq` of keys runs, and may panic, with nothing changed.
    #[inline]
    pub(crate) fn get(&self, hash: u64, key: &K) -> Option<Occupant<K, V>>
    where
        K: Eq,
    {
        let wanted: &dyn Keyed<K> = &Wanted { hash, key };
        let found = self.map.get(wanted)?;
        Some(Occupant { slot: found.key().name.slot(), flow: found.upgrade() })
    }

    /// Makes the slot of `key` lead to `flow` under the name `slot`: the slot called `over` if it is still there, else a
    /// new one, which takes `key`.
    ///
    /// The caller holds the key's stripe and knows that no other slot has this key.
    pub(crate) fn fill(
        &self,
        (hash, key): (u64, &mut Option<K>),
        slot: SlotId,
        over: Option<SlotId>,
        flow: &Arc<Record<K, V>>,
    ) {
        let weak = Arc::downgrade(flow);
        if let Some(mut found) = over.and_then(|over| self.map.get_mut(&Name::new(hash, over))) {
            found.key().name.slot.store(slot.to_bits(), Ordering::Relaxed);
            // The old reference is weak: dropping it runs no user code.
            drop(mem::replace(found.value_mut(), weak));
        } else if let Some(key) = key.take() {
            self.count.add();
            self.map.insert(SlotKey { name: Name::new(hash, slot), key }, weak);
        }
    }

    /// Removes the slot called `slot`, if it is there. The caller drops the key under no lock.
    pub(crate) fn remove(&self, hash: u64, slot: SlotId) -> Option<K> {
        let (removed, _) = self.map.remove(&Name::new(hash, slot))?;
        self.count.sub(1);
        Some(removed.key)
    }

    /// Gives unused memory back, one shard at a time.
    pub(crate) fn shrink_to_fit(&self) {
        self.map.shrink_to_fit();
    }

    /// Bytes that the slots occupy, free ones included.
    pub(crate) fn memory(&self) -> usize {
        // Of eight slots the map fills at most seven.
        self.map.capacity() * 8 / 7 * Self::SLOT_BYTES
    }
}
