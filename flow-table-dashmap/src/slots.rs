use std::hash::BuildHasherDefault;
use std::mem;
use std::sync::Weak;

use crossbeam::utils::CachePadded;
use dashmap::DashMap;

use crate::flow::Record;
use crate::id::SlotId;
use crate::slot_key::{Keyed, Name, SlotKey, StoredHash, Wanted};
use crate::strong::Strong;
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
    shards: usize,
    /// The map's own `len` would take every shard's lock.
    count: CachePadded<Watermark>,
}

/// What stands under a key.
pub(crate) struct Occupant<K, V> {
    /// The name of the slot.
    pub(crate) slot: SlotId,
    /// The flow, unless it is gone: then whoever drops it is about to remove the slot.
    pub(crate) flow: Option<Strong<K, V>>,
}

impl<K, V> Slots<K, V> {
    /// Bytes of a slot: entry and control byte.
    pub(crate) const SLOT_BYTES: usize = size_of::<(SlotKey<K>, Weak<Record<K, V>>)>() + 1;

    /// An empty map of `shards` shards, a power of two above one.
    pub(crate) fn new(shards: usize) -> Self {
        let map = DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), shards);
        Self { map, shards, count: CachePadded::default() }
    }

    /// The number of shards.
    pub(crate) const fn shards(&self) -> usize {
        self.shards
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
        Some(Occupant { slot: found.key().name.slot(), flow: Strong::upgrade(&found) })
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
        flow: &Strong<K, V>,
    ) {
        let weak = flow.downgrade();
        if let Some(mut found) = over.and_then(|over| self.map.get_mut(&Name::new(hash, over))) {
            found.key().name.set_slot(slot);
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
        /// Lock and head of a shard.
        const SHARD_BYTES: usize = size_of::<CachePadded<[usize; 5]>>();
        // Of eight slots the map fills at most seven.
        self.shards * SHARD_BYTES + self.map.capacity() * 8 / 7 * Self::SLOT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use flow_table_api::{Budget, Direction, FlowRef, NewFlow, OnExpiry, Table, TableConfig, Timestamp};

    use crate::FlowTable;
    use crate::handle::FlowHandle;

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
            assert_eq!(table.shared.slots.remove(hash, id.slot(direction)), None);
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
        let count = || table.shared.slots.count().get();
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
        let count = || table.shared.slots.count().get();
        let flows: Vec<_> = (0..4).map(|index| put(&table, 10 * index)).collect();
        assert_eq!(count(), 8);
        drop(put(&table, 10));
        assert_eq!(count(), 8, "taken over");
        drop((flows, table.retain(|_| false)));
        assert_eq!(count(), 0);
    }
}
