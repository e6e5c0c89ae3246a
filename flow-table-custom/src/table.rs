#![forbid(unsafe_code)]

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::ControlFlow;

use flow_table_api as api;
use flow_table_api::{
    Admission, Alarm, Answer, Budget, Ended, FinalRecord, ForeignFlow, InsertError, Inserted, Key, KeyForm,
    KeyHasher, NewFlow, ReapReport, ReinsertError, Stats, Table, TableConfig, Timestamp, Value,
};

use crate::burst::FlowBurst;
use crate::core::Core;
use crate::flows::FlowEntry;
use crate::handle::StrongRef;
use crate::hash::{KeyHash, KeyHashes, hash_one};
use crate::ops::{Counted, Mode, Refusal};
use crate::sync::Arc;

/// The fast flow table. See the [crate's documentation](crate) for how it works, and [`Table`] for its
/// operations.
///
/// The costs of its operations, for flows of up to two cache lines: the lines that a big table loads from
/// memory, and the writes that lock a line (atomic read-modify-writes, and the taking and the release of a
/// lock):
///
/// | operation | lines | locked writes |
/// |---|---|---|
/// | look-up, hit | 2 | 1, and 1 to drop the handle |
/// | look-up within a burst, hit | 2 | 0 |
/// | look-up, miss | 1 | 0 |
/// | refresh | 0 after a look-up | 1; 0 if the deadline is as late already |
/// | burst, opened and closed | 0 | 2 |
/// | insertion, new flow with one key | 6 | 4 |
/// | end by reaping | 4 | 3 |
/// | reap with nothing due | 0 | 0 |
///
/// A flow takes its key, its value and 20 bytes, rounded up to whole lines of 64 bytes, and 23 to 29 bytes
/// elsewhere.
///
/// `S` makes the hashers of keys. Its default has a seed of the table's own.
pub struct FlowTable<K: Key, V: Value, S = KeyHasher> {
    core: Arc<Core<K, V>>,
    hasher: S,
}

type AdmissionResult<K, V> = Result<Admission<K, V, StrongRef<K, V>>, InsertError<K, V, StrongRef<K, V>>>;

impl<K: Key, V: Value> FlowTable<K, V> {
    /// Makes an empty table for at most `capacity` flows: see [`Table::new`].
    pub fn new(capacity: usize) -> Self {
        Table::new(capacity)
    }

    /// Makes an empty table: see [`Table::with_config`].
    pub fn with_config(config: TableConfig) -> Self {
        Table::with_config(config)
    }
}

impl<K: Key, V: Value, S> FlowTable<K, V, S> {
    /// Makes an empty table that hashes keys with `hasher`. Where others choose the keys, the hasher must have a
    /// secret of its own (contract C4).
    pub fn with_hasher(config: TableConfig, hasher: S) -> Self {
        Self { core: Core::new(&config, None), hasher }
    }

    fn own(&self, flow: &FlowEntry<K, V>) -> Result<(), ForeignFlow> {
        if flow.at().page().core() == self.core.address() { Ok(()) } else { Err(ForeignFlow) }
    }

    #[cold]
    fn refusal(&self, flow: NewFlow<K, V>, why: Refusal<K, V>) -> InsertError<K, V, StrongRef<K, V>> {
        match why {
            Refusal::IdenticalKeys => InsertError::IdenticalKeys { flow },
            Refusal::Full => InsertError::Full { flow, capacity: self.core.shards.capacity.limit() },
            Refusal::OutOfMemory => InsertError::OutOfMemory { flow },
            Refusal::Held { holder, key } => InsertError::Conflict { flow, holder, key },
        }
    }
}

#[doc(hidden)]
impl<K: Key, V: Value, S> FlowTable<K, V, S> {
    /// For tests: checks that the table's inner counts and places agree with each other. O(flows).
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn verify(&self) -> Result<(), String> {
        self.core.verify()
    }
}

impl<K: Key, V: Value, S: BuildHasher> FlowTable<K, V, S> {
    /// The hashes of a new flow's keys. The flow may bring them.
    #[inline]
    fn hashes_of(&self, flow: &NewFlow<K, V>) -> KeyHashes {
        let hash = |known: Option<api::KeyHash>, key| KeyHash::new(known.unwrap_or_else(|| self.hash_one(key)));
        let reply = flow.reply_key().map(|key| hash(flow.reply_hash(), key));
        KeyHashes { forward: hash(flow.hash(), flow.key()), reply }
    }

    #[inline]
    fn hash_one(&self, key: &(impl Hash + ?Sized)) -> api::KeyHash {
        hash_one(&self.hasher, key)
    }
}

impl<K, V, S> Table<K, V> for FlowTable<K, V, S>
where
    K: Key,
    V: Value,
    S: BuildHasher + Default + Send + Sync + 'static,
{
    type Flow = FlowEntry<K, V>;
    type Ref = StrongRef<K, V>;
    type Burst<'t> = FlowBurst<'t, K, V, S>;

    fn with_config(config: TableConfig) -> Self {
        let hasher = config.hasher();
        Self::with_hasher(config, hasher)
    }

    fn with_records(config: TableConfig, record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static) -> Self {
        Self { core: Core::new(&config, Some(Box::new(record))), hasher: config.hasher() }
    }

    #[inline]
    fn lookup_hashed<Q: KeyForm<K> + ?Sized>(
        &self,
        key: &Q,
        hash: api::KeyHash,
        now: Timestamp,
    ) -> Option<StrongRef<K, V>> {
        self.core.lookup(Counted, key, KeyHash::new(hash), now)
    }

    #[inline]
    fn lookup_batch<Q: KeyForm<K>>(&self, keys: &[Q], now: Timestamp, found: &mut Vec<Option<StrongRef<K, V>>>) {
        self.core.lookup_batch(Counted, keys, |_, key| KeyHash::new(self.hash_one(key)), now, found);
    }

    #[inline]
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> api::KeyHash {
        self.hash_one(key)
    }

    fn hash_of(&self, external: u64) -> api::KeyHash {
        self.hash_one(&external)
    }

    #[inline]
    fn burst(&self, now: Timestamp) -> FlowBurst<'_, K, V, S> {
        FlowBurst::open(&self.core, &self.hasher, now)
    }

    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<StrongRef<K, V>>, InsertError<K, V, StrongRef<K, V>>> {
        let hashes = self.hashes_of(&flow);
        self.core.insert(flow, hashes, now, Mode::Replace).map_err(|(flow, why)| self.refusal(flow, why))
    }

    fn insert_if_absent(&self, flow: NewFlow<K, V>, now: Timestamp) -> AdmissionResult<K, V> {
        let hashes = self.hashes_of(&flow);
        match self.core.insert(flow, hashes, now, Mode::IfAbsent) {
            Ok(inserted) => Ok(Admission::Inserted(inserted.flow)),
            Err((flow, Refusal::Held { holder, key })) => {
                Ok(Admission::Existing { holder, key, rejected: Some(flow) })
            }
            Err((flow, why)) => Err(self.refusal(flow, why)),
        }
    }

    fn prepare(&self, flow: NewFlow<K, V>) -> Result<StrongRef<K, V>, InsertError<K, V, StrongRef<K, V>>> {
        let hashes = self.hashes_of(&flow);
        self.core.prepare_flow(flow, hashes).map_err(|(flow, why)| self.refusal(flow, why))
    }

    fn reinsert(
        &self,
        flow: &StrongRef<K, V>,
        now: Timestamp,
    ) -> Result<StrongRef<K, V>, ReinsertError<StrongRef<K, V>>> {
        self.own(flow)?;
        self.core.reinsert(flow, now)
    }

    fn remove<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<StrongRef<K, V>> {
        self.core.remove(key, KeyHash::new(self.hash_one(key)))
    }

    fn remove_flow(&self, flow: &FlowEntry<K, V>) -> Result<bool, ForeignFlow> {
        self.own(flow)?;
        Ok(self.core.remove_flow(flow.at(), false))
    }

    fn evict_flow(&self, flow: &FlowEntry<K, V>) -> Result<bool, ForeignFlow> {
        self.own(flow)?;
        Ok(self.core.remove_flow(flow.at(), true))
    }

    fn try_for_each<R>(&self, visit: impl FnMut(&StrongRef<K, V>) -> ControlFlow<R>) -> ControlFlow<R> {
        self.core.try_for_each(visit)
    }

    fn sample(&self, flows: usize, visit: impl FnMut(&StrongRef<K, V>)) {
        self.core.sample(flows, visit);
    }

    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<StrongRef<K, V>>)) -> ReapReport {
        self.core.reap_with(now, budget, ended)
    }

    /// The same as [`reap_with`](Table::reap_with): timers belong to shards and not to threads. Calls that run
    /// at the same time start with different shards.
    fn reap_local_with(
        &self,
        now: Timestamp,
        budget: Budget,
        ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.core.reap_with(now, budget, ended)
    }

    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        ask: impl FnMut(&StrongRef<K, V>) -> Answer,
        ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.core.reap_asking(now, budget, ask, ended)
    }

    fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.core.reap(now, budget)
    }

    fn reap_local(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.core.reap(now, budget)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.core.next_deadline()
    }

    fn alarm(&self) -> &Alarm {
        &self.core.shards.alarm
    }

    #[inline]
    fn len(&self) -> usize {
        self.core.shards.capacity.held()
    }

    fn capacity(&self) -> usize {
        self.core.shards.capacity.limit()
    }

    fn set_capacity(&self, flows: usize) {
        self.core.shards.capacity.set_limit(flows);
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

impl<K: Key, V: Value, S> Drop for FlowTable<K, V, S> {
    fn drop(&mut self) {
        self.core.shards.alarm.clear();
        Core::close(&self.core);
    }
}

impl<K: Key, V: Value, S> fmt::Debug for FlowTable<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowTable").field("stats", &self.core.stats()).finish_non_exhaustive()
    }
}
