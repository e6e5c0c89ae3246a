use std::collections::hash_map::RandomState;
use std::mem;

use crossbeam::utils::CachePadded;
use dashmap::{DashMap, SharedValue};
use flow_table_api::Equivalent;

use crate::base::id::SlotId;
use crate::base::watermark::Watermark;

/// The map from keys to weak references `W`.
///
/// For `DashMap`, the key is the name of the slot, and the caller passes the hash. So user keys are not hashed
/// here, and only [`get`](Self::get) compares them. Every change of the map finds its slot by name and hash. It
/// runs no user code, so it cannot panic half way, and it cannot hit the slot of another flow (contract L4, R3,
/// V4). This is correct because a thread that fills a slot holds the key's stripe and has just looked the key up.
///
/// **Ground rule**: no guard of the map leaves this file, and nothing is dropped under a guard that may run user
/// code.
pub(crate) struct Slots<K, W> {
    map: DashMap<SlotId, Slot<K, W>, RandomState>,
    /// The map's own `len` would lock every shard.
    count: CachePadded<Watermark>,
}

struct Slot<K, W> {
    hash: u64,
    key: K,
    flow: W,
}

/// The entries of the hash tables in the map.
type Entry<K, W> = (SlotId, SharedValue<Slot<K, W>>);

/// The hash of an entry, for a shard that grows or shrinks.
fn stored_hash<K, W>(entry: &Entry<K, W>) -> u64 {
    entry.1.get().hash
}

impl<K, W> Slots<K, W> {
    /// Bytes of a slot: entry and control byte.
    pub(crate) const SLOT_BYTES: usize = size_of::<Entry<K, W>>() + 1;

    /// An empty map of `shards` shards, a power of two above one.
    pub(crate) fn new(shards: usize) -> Self {
        let map = DashMap::with_hasher_and_shard_amount(RandomState::new(), shards);
        Self { map, count: CachePadded::default() }
    }

    /// The number of shards.
    pub(crate) fn shards(&self) -> usize {
        self.map.shards().len()
    }

    /// The number of slots.
    pub(crate) fn count(&self) -> &Watermark {
        &self.count
    }

    #[inline]
    fn shard(&self, hash: u64) -> usize {
        self.map.determine_shard(hash as usize)
    }

    /// Returns the slot of `key`, and the result of `read` for its reference. `Eq` of keys runs and may panic;
    /// nothing has been changed by then. `read` must not run user code.
    #[inline]
    pub(crate) fn get<Q: Equivalent<K> + ?Sized, R>(
        &self,
        hash: u64,
        key: &Q,
        read: impl FnOnce(&W) -> R,
    ) -> Option<(SlotId, R)> {
        let shard = self.map.shards()[self.shard(hash)].read();
        let is_it = |entry: &Entry<K, W>| entry.1.get().hash == hash && key.equivalent(&entry.1.get().key);
        let (id, slot) = shard.get(hash, is_it)?;
        Some((*id, read(&slot.get().flow)))
    }

    /// Makes the slot of `key` lead to `flow` under the name `id`. This is the slot named `over` if it still
    /// exists, or else a new one, which takes `key`.
    ///
    /// The caller holds the key's stripe and knows that no other slot has this key. The drop of a `W` runs no user
    /// code.
    pub(crate) fn fill(&self, (hash, key): (u64, &mut Option<K>), id: SlotId, over: Option<SlotId>, flow: W) {
        let mut shard = self.map.shards()[self.shard(hash)].write();
        if let Some((found, slot)) = over.and_then(|over| shard.get_mut(hash, |(id, _)| *id == over)) {
            *found = id;
            drop(mem::replace(&mut slot.get_mut().flow, flow));
        } else if let Some(key) = key.take() {
            self.count.add();
            shard.insert_entry(hash, (id, SharedValue::new(Slot { hash, key, flow })), stored_hash);
        }
    }

    /// Removes the slot named `id`, if it exists. The caller drops the key under no lock.
    pub(crate) fn remove(&self, hash: u64, id: SlotId) -> Option<K> {
        let removed = self.map.shards()[self.shard(hash)].write().remove_entry(hash, |(other, _)| *other == id)?;
        self.count.sub(1);
        Some(removed.1.into_inner().key)
    }

    /// Gives unused memory back, one shard at a time.
    pub(crate) fn shrink_to_fit(&self) {
        self.map.shards().iter().for_each(|shard| shard.write().shrink_to(0, stored_hash));
    }

    /// The bytes that the slots occupy, also the free ones.
    pub(crate) fn memory(&self) -> usize {
        let shards = self.map.shards().iter();
        let slots: usize = shards.map(|shard| shard.read().buckets()).filter(|&buckets| buckets > 1).sum();
        size_of_val(self.map.shards()) + slots * Self::SLOT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use flow_table_api::{Budget, Direction, Flow, NewFlow, OnExpiry, Table, TableConfig, Timestamp};

    use crate::FlowTable;
    use crate::flow::handle::FlowHandle;

    const NOW: Timestamp = Timestamp::ZERO;

    fn put(table: &FlowTable<u64, ()>, key: u64) -> FlowHandle<u64, ()> {
        table.insert(NewFlow::new(key, ()).reply(key + 1), NOW).expect("there is room").flow
    }

    #[test]
    fn an_old_name_does_not_reach_the_slot_of_the_next_flow() {
        let table = FlowTable::<u64, ()>::with_config(TableConfig::new(9).shards(1));
        let old = put(&table, 1);
        let id = old.record().id().expect("active");
        let new = put(&table, 1);
        let record = new.record();
        for (direction, hash) in
            [(Direction::Forward, record.hash), (Direction::Reply, record.reply_hash().unwrap())]
        {
            assert_eq!(table.core.shared.slots.remove(hash, id.slot(direction)), None);
        }
        assert_eq!((table.lookup(&1, NOW), table.lookup(&2, NOW)), (Some(new.clone()), Some(new)));
    }

    #[test]
    fn ended_flows_have_slots_while_they_are_held() {
        let table = FlowTable::<u64, ()>::new(9);
        let kept = put(&table, 1);
        let gone = table.insert(NewFlow::new(3, ()).on_expiry(OnExpiry::Remove), NOW).expect("there is room").flow;
        let cancelled = put(&table, 5);
        assert!(cancelled.cancel());
        assert_eq!(table.reap(Timestamp::MAX, Budget::UNLIMITED).visited(), 3);
        let count = || table.core.shared.slots.count().get();
        assert_eq!(count(), 5);
        let found = [1, 2, 3, 5, 6].map(|key| table.lookup(&key, NOW).is_some());
        assert_eq!(found, [true, true, false, false, false], "those of the one that is kept while it is held");
        drop((gone, cancelled));
        assert_eq!(count(), 2);
        drop(kept);
        assert_eq!(count(), 0);
    }

    #[test]
    fn slots_are_counted() {
        let table = FlowTable::<u64, ()>::new(9);
        let count = || table.core.shared.slots.count().get();
        let flows: Vec<_> = (0..4).map(|index| put(&table, 10 * index)).collect();
        assert_eq!(count(), 8);
        drop(put(&table, 10));
        assert_eq!(count(), 8, "taken over");
        drop((flows, table.retain(|_| false)));
        assert_eq!(count(), 0);
    }
}
