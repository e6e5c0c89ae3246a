use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::SlotId;

/// What the map takes for a key. Equal by name, not by the user's key.
pub(crate) struct SlotKey<K> {
    pub(crate) name: Name,
    pub(crate) key: K,
}

/// Where a slot is and what it is called.
pub(crate) struct Name {
    hash: u64,
    /// Changes only under the exclusive guard of the slot's shard, which orders all accesses: `Relaxed` everywhere.
    slot: AtomicU64,
}

impl Name {
    pub(crate) const fn new(hash: u64, slot: SlotId) -> Self {
        Self { hash, slot: AtomicU64::new(slot.to_bits()) }
    }

    pub(crate) fn slot(&self) -> SlotId {
        SlotId::from_bits(self.slot.load(Ordering::Relaxed))
    }

    /// Gives the slot another name. The caller holds the exclusive guard of its shard.
    pub(crate) fn set_slot(&self, slot: SlotId) {
        self.slot.store(slot.to_bits(), Ordering::Relaxed);
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
pub(crate) trait Keyed<K> {
    fn hash(&self) -> u64;
    fn key(&self) -> &K;
}

/// A key to look up.
pub(crate) struct Wanted<'k, K> {
    pub(crate) hash: u64,
    pub(crate) key: &'k K,
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
