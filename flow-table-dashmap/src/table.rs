use std::fmt;
use std::hash::BuildHasher;
use std::ops::ControlFlow;

use flow_table_api::{
    Admission, AdmissionOf, Alarm, Answer, Budget, Ended, FinalRecord, ForeignFlow, InsertError, InsertErrorOf,
    Inserted, Key, KeyForm, KeyHash, KeyHasher, NewFlow, ReapReport, ReinsertError, Stats, Table, TableConfig,
    Timestamp, Value,
};

use crate::base::panics::Panics;
use crate::burst::FlowBurst;
use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::record::Record;
use crate::flow::strong::FlowRecord;
use crate::ops::insert::{Insertion, Policy};

/// A flow table over a `DashMap` of weak references and per-thread priority queues.
///
/// # Costs
///
/// | | cache lines touched, with a key of 44 bytes | atomic writes |
/// |---|---|---|
/// | look-up, hit | shard lock, control bytes, slot (1–2), flow (1; 2 with key or value) | 3; 1 for its drop |
/// | look-up, miss | shard lock, control bytes | 2 |
/// | refresh | flow | 1, or none if the deadline is as late already |
/// | insert | two stripes at most, each key's shard twice, queue: O(log n) | about 20 |
/// | reap, nothing due | two for each queue | none |
/// | reap, for each flow | queue: O(log n); when the flow is dropped, each key's shard | about 15 |
///
/// | bytes per flow | |
/// |---|---|
/// | flow | 64 (reference counts 16, status and deadline 8), the key, an `Option` of the other, the value |
/// | slot, for each key | 25 and the key, in a map that is between 7/16 and 7/8 full |
/// | queue entry | 59, in a queue that is between half and all full |
///
/// So 470 bytes at a million flows with one [`FlowKey`](flow_table_api::FlowKey) and 64 bytes of value.
///
/// # Panics
///
/// Operations panic only if user code panics.
///
/// `S` makes the hashers of keys. Its default has a seed of the table's own.
pub struct FlowTable<K, V, S = KeyHasher> {
    pub(crate) core: Core<K, V>,
    hasher: S,
}

impl<K: Key + Clone, V: Value> FlowTable<K, V> {
    /// Makes an empty table for at most `capacity` flows: see [`Table::new`].
    pub fn new(capacity: usize) -> Self {
        Table::new(capacity)
    }

    /// Makes an empty table: see [`Table::with_config`].
    pub fn with_config(config: TableConfig) -> Self {
        Table::with_config(config)
    }
}

impl<K, V, S> FlowTable<K, V, S> {
    /// Makes an empty table that hashes keys with `hasher`. Where others choose the keys, the hasher must have a
    /// secret of its own (contract C4).
    pub fn with_hasher(config: TableConfig, hasher: S) -> Self {
        Self { core: Core::new(&config, None), hasher }
    }
}

impl<K, V, S> FlowTable<K, V, S>
where
    K: Key + Clone,
    V: Value,
    S: BuildHasher,
{
    fn put(&self, flow: NewFlow<K, V>, now: Timestamp, policy: Policy) -> Insertion<K, V> {
        self.core.insert(flow, |key, known| self.hash_known(key, known), now, policy)
    }

    /// The hash of a key. The caller may know it.
    fn hash_known(&self, key: &K, known: Option<KeyHash>) -> u64 {
        known.unwrap_or_else(|| KeyHash::new(self.hasher.hash_one(key))).get()
    }
}

impl<K, V, S> Table<K, V> for FlowTable<K, V, S>
where
    K: Key + Clone,
    V: Value,
    S: BuildHasher + Default + Send + Sync + 'static,
{
    type Flow = FlowRecord<K, V>;
    type Ref = FlowHandle<K, V>;
    type Burst<'t> = FlowBurst<'t, K, V, S>;

    fn with_config(config: TableConfig) -> Self {
        let hasher = config.hasher();
        Self::with_hasher(config, hasher)
    }

    fn with_records(config: TableConfig, record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static) -> Self {
        let records = move |flow: Record<K, V>| {
            // A flow that was only prepared has not been in the table.
            if !flow.state.load().is_starting() {
                record(flow.into_final());
            }
        };
        Self { core: Core::new(&config, Some(Box::new(records))), hasher: config.hasher() }
    }

    #[inline]
    fn lookup_hashed<Q: KeyForm<K> + ?Sized>(
        &self,
        key: &Q,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<FlowHandle<K, V>> {
        self.core.find(hash.get(), key, now).map(|(flow, direction)| FlowHandle::new(flow, direction))
    }

    #[inline]
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        KeyHash::new(self.hasher.hash_one(key))
    }

    fn hash_of(&self, external: u64) -> KeyHash {
        KeyHash::new(self.hasher.hash_one(external))
    }

    fn burst(&self, now: Timestamp) -> FlowBurst<'_, K, V, S> {
        FlowBurst::new(&self.core, &self.hasher, now)
    }

    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<FlowHandle<K, V>>, InsertErrorOf<K, V, Self>> {
        self.put(flow, now, Policy::Replace)
    }

    fn insert_if_absent(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        match self.put(flow, now, Policy::Keep) {
            Ok(inserted) => Ok(Admission::Inserted(inserted.flow)),
            Err(InsertError::Conflict { flow, holder, key }) => {
                Ok(Admission::Existing { holder, key, rejected: Some(flow) })
            }
            Err(refused) => Err(refused),
        }
    }

    fn prepare(&self, flow: NewFlow<K, V>) -> Result<FlowHandle<K, V>, InsertErrorOf<K, V, Self>> {
        self.core.prepare(flow, |key, known| self.hash_known(key, known))
    }

    fn reinsert(
        &self,
        flow: &FlowHandle<K, V>,
        now: Timestamp,
    ) -> Result<FlowHandle<K, V>, ReinsertError<FlowHandle<K, V>>> {
        self.core.reinsert(flow, now)
    }

    fn remove<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<FlowHandle<K, V>> {
        self.core.remove(self.hash(key).get(), key)
    }

    fn remove_flow(&self, flow: &FlowRecord<K, V>) -> Result<bool, ForeignFlow> {
        self.core.remove_flow(flow, |counts| &counts.removed)
    }

    fn evict_flow(&self, flow: &FlowRecord<K, V>) -> Result<bool, ForeignFlow> {
        self.core.remove_flow(flow, |counts| &counts.evicted)
    }

    /// Copies the handles of one part of a queue at a time under its lock, and visits them under no lock.
    fn try_for_each<R>(&self, visit: impl FnMut(&FlowHandle<K, V>) -> ControlFlow<R>) -> ControlFlow<R> {
        self.core.try_for_each(visit)
    }

    fn sample(&self, flows: usize, visit: impl FnMut(&FlowHandle<K, V>)) {
        self.core.sample(flows, visit);
    }

    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<FlowHandle<K, V>>)) -> ReapReport {
        self.core.reap(self.core.queues_in_turn(now), now, budget, ended)
    }

    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        ask: impl FnMut(&FlowHandle<K, V>) -> Answer,
        ended: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        self.core.reap_asking(self.core.queues_in_turn(now), now, budget, ask, ended)
    }

    fn reap_local_with(
        &self,
        now: Timestamp,
        budget: Budget,
        ended: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        self.core.reap(self.core.queues.mine(), now, budget, ended)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        // Notes may be about flows that are gone.
        if self.is_empty() && self.core.dying() == 0 {
            return None;
        }
        self.core.queues.iter().filter_map(|queue| queue.home.next_deadline()).min()
    }

    fn alarm(&self) -> &Alarm {
        &self.core.shared.alarm
    }

    fn len(&self) -> usize {
        self.core.held.get()
    }

    fn capacity(&self) -> usize {
        self.core.held.limit()
    }

    fn set_capacity(&self, flows: usize) {
        self.core.held.set_limit(flows);
    }

    fn stats(&self) -> Stats {
        self.core.stats()
    }

    fn memory(&self) -> usize {
        self.core.memory()
    }

    fn shrink_to_fit(&self) {
        self.core.shrink_to_fit();
    }
}

impl<K, V, S> Drop for FlowTable<K, V, S> {
    /// Detaches active flows. Values are dropped with the last handle, as always.
    fn drop(&mut self) {
        let flows: Vec<_> = self.core.queues.iter().flat_map(|queue| queue.lock().drain()).collect();
        for (_, flow) in &flows {
            flow.state.detach();
        }
        let mut panics = Panics::default();
        for (id, flow) in flows {
            panics.drop_each(flow.remove_slots(id));
            panics.catch(|| drop(flow));
        }
        self.core.shared.slots.shrink_to_fit();
        panics.catch(|| self.core.shared.alarm.clear());
        panics.resume();
    }
}

impl<K, V, S> fmt::Debug for FlowTable<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowTable").field("held", &self.core.held).finish_non_exhaustive()
    }
}
