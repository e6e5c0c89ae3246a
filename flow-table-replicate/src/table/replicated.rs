use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use flow_table_api::{
    AdmissionOf, Alarm, Answer, Budget, Ended, FinalRecord, Flow, FlowSpec, ForeignFlow, InsertErrorOf, Inserted,
    Key, KeyForm, KeyHash, NewFlow, ReapReport, ReinsertError, Stats, Table, TableConfig, Timestamp, Value,
};
use ref_cast::RefCast;

use super::{Tracked, TrackedBurst, TrackedFlow, TrackedRef, convert, lists};
use crate::codec::{Codec, FlowKeys, Postcard};
use crate::feed::{Feed, Held};
use crate::{Settings, ShardId};

/// A table that records its own life, so that a standby can follow it. It is itself a [`Table`]: packet code does
/// not change.
///
/// `T` is the inner table, whose values are [`Tracked`]. `C` is the [`Codec`] of keys and values.
///
/// Insertions, flows that are replaced or removed, and those that a reap hands over are recorded by themselves. A
/// change of a value or of a timeout is recorded by [`touch`](Self::touch). Look-ups and refreshes are the inner
/// table's: they record nothing and cost what they cost there.
///
/// # Blocking
///
/// Recording never waits. A record goes into a buffer of the calling thread; full buffers go into a bounded ring.
/// If the ring is full, the buffer's records are dropped and counted, and the next sweep repeats everything that
/// is in their shards.
pub struct Replicated<K, V, T, C = (FlowKeys, Postcard)> {
    table: T,
    feed: Feed<C>,
    types: PhantomData<fn() -> (K, V)>,
}

/// A [`Replicated`] table whose inner table is `T<K, Tracked<V>>`, for flows under [`FlowKey`] whose values
/// implement `serde`'s traits.
///
/// [`FlowKey`]: flow_table_api::FlowKey
pub type ReplicatedTable<V, T> = Replicated<flow_table_api::FlowKey, V, T>;

impl<K: Key, V: Value, T: Table<K, Tracked<V>>, C: Codec<K, V>> Replicated<K, V, T, C> {
    /// Makes an empty table that records with these settings.
    pub fn with_settings(config: TableConfig, settings: Settings, codec: C) -> Self {
        Self { table: T::with_config(config), feed: Feed::new(settings, codec), types: PhantomData }
    }

    /// As [`with_settings`](Self::with_settings), and passes a final record of each flow to `record`, as
    /// [`Table::with_records`] does. Flows of shards that another gateway owns leave none: their owner makes it.
    pub fn with_settings_and_records(
        config: TableConfig,
        settings: Settings,
        codec: C,
        record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static,
    ) -> Self {
        let feed = Feed::new(settings, codec);
        let shared = Arc::clone(feed.shared());
        let record = move |tracked: FinalRecord<K, Tracked<V>>| {
            if shared.ownership.role(tracked.value.shard()).owned {
                record(tracked.map_value(Tracked::into_value));
            }
        };
        Self { table: T::with_records(config, record), feed, types: PhantomData }
    }

    /// As [`with_settings_and_records`](Self::with_settings_and_records), and makes each final record at most once
    /// in the whole cluster, whichever gateway fails: it is passed to `export` once the log has the flow's end,
    /// and no other gateway has claimed the flow's shard before. That takes some milliseconds, and while the log's
    /// engine is down it takes longer. It needs a [`Publisher`](crate::Publisher) and a
    /// [`Standby`](crate::Standby) of this table; a [`Gateway`](crate::Gateway) has both. `export` runs on the
    /// publisher's thread, and must be as quick as `record`.
    ///
    /// What waits when this process fails is lost if the log has the flow's end already. Records are also lost if
    /// a million wait ([`unexported`](crate::Counters::unexported)).
    pub fn with_settings_and_exports(
        config: TableConfig,
        settings: Settings,
        codec: C,
        export: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static,
    ) -> Self {
        let held = Arc::new(Held::new(export));
        let feed = Feed::with_exports(settings, codec, Some(held.clone()));
        let shared = Arc::clone(feed.shared());
        let record = move |tracked: FinalRecord<K, Tracked<V>>| {
            let shard = tracked.value.shard();
            let role = shared.ownership.role(shard);
            if role.owned {
                held.push(shard, role.epoch, tracked.map_value(Tracked::into_value), &shared.counting);
            }
        };
        Self { table: T::with_records(config, record), feed, types: PhantomData }
    }

    /// Records that the value of `flow` or its timeout has changed. Call it after the change, and only for changes
    /// that a standby needs at once: a state of a firewall, not a packet counter. The next sweep repeats a flow
    /// whose deadline has moved far.
    pub fn touch(&self, flow: &TrackedRef<T::Ref>, now: Timestamp) {
        self.feed.updated(&**flow.inner(), now);
    }

    /// The inner table. What changes it directly is not recorded before the next sweep.
    pub const fn inner(&self) -> &T {
        &self.table
    }

    /// What records the table's life.
    pub const fn feed(&self) -> &Feed<C> {
        &self.feed
    }

    fn shard(&self, key: &K) -> ShardId {
        self.feed.shard(key)
    }

    fn begun(&self, flow: &T::Ref, now: Timestamp) {
        self.feed.begun(&**flow, now);
    }

    /// Records the ends of flows that a reap hands over. Flows of shards that another gateway owns are its to
    /// export; they go no further.
    fn recorded<'t>(
        &'t self,
        mut ended: impl FnMut(Ended<TrackedRef<T::Ref>>) + 't,
    ) -> impl FnMut(Ended<T::Ref>) + 't {
        move |Ended { flow, reason }| {
            if self.feed.ended(&*flow) {
                ended(Ended { flow: TrackedRef::new(flow), reason });
            }
        }
    }
}

impl<K, V, T, C> Table<K, V> for Replicated<K, V, T, C>
where
    K: Key,
    V: Value,
    T: Table<K, Tracked<V>>,
    C: Codec<K, V> + Default,
{
    type Flow = TrackedFlow<T::Flow>;
    type Ref = TrackedRef<T::Ref>;
    type Burst<'t>
        = TrackedBurst<T::Burst<'t>>
    where
        Self: 't;

    /// As [`with_settings`](Self::with_settings), with the default settings.
    fn with_config(config: TableConfig) -> Self {
        Self::with_settings(config, Settings::default(), C::default())
    }

    /// As [`with_settings_and_records`](Self::with_settings_and_records), with the default settings.
    fn with_records(config: TableConfig, record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static) -> Self {
        Self::with_settings_and_records(config, Settings::default(), C::default(), record)
    }

    #[inline]
    fn lookup<Q: KeyForm<K> + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<Self::Ref> {
        self.table.lookup(key, now).map(TrackedRef::new)
    }

    #[inline]
    fn lookup_hashed<Q: KeyForm<K> + ?Sized>(&self, key: &Q, hash: KeyHash, now: Timestamp) -> Option<Self::Ref> {
        self.table.lookup_hashed(key, hash, now).map(TrackedRef::new)
    }

    #[inline]
    fn contains_key<Q: KeyForm<K> + ?Sized>(&self, key: &Q, now: Timestamp) -> bool {
        self.table.contains_key(key, now)
    }

    #[inline]
    fn lookup_batch<Q: KeyForm<K>>(&self, keys: &[Q], now: Timestamp, found: &mut Vec<Option<Self::Ref>>) {
        lists::through(found, |found| self.table.lookup_batch(keys, now, found), TrackedRef::new);
    }

    #[inline]
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        self.table.hash(key)
    }

    #[inline]
    fn hash_of(&self, external: u64) -> KeyHash {
        self.table.hash_of(external)
    }

    #[inline]
    fn burst(&self, now: Timestamp) -> Self::Burst<'_> {
        TrackedBurst(self.table.burst(now))
    }

    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<Self::Ref>, InsertErrorOf<K, V, Self>> {
        let shard = self.shard(flow.key());
        let result = self.table.insert(convert::to_inner(flow, shard), now);
        let inserted = result.map_err(convert::insert_error)?;
        if let Some(replaced) = &inserted.replaced {
            self.feed.ended(&**replaced);
        }
        self.begun(&inserted.flow, now);
        Ok(convert::inserted(inserted))
    }

    fn insert_if_absent(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        let shard = self.shard(flow.key());
        let admission = self.table.insert_if_absent(convert::to_inner(flow, shard), now);
        let admission = admission.map_err(convert::insert_error)?;
        if admission.is_inserted() {
            self.begun(admission.flow(), now);
        }
        Ok(convert::admission(admission))
    }

    fn get_or_insert_with(
        &self,
        spec: FlowSpec<K>,
        now: Timestamp,
        make: impl FnOnce() -> V,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        let shard = self.shard(spec.key());
        let admission = self.table.get_or_insert_with(spec, now, || Tracked::new(shard, make()));
        let admission = admission.map_err(convert::insert_error)?;
        if admission.is_inserted() {
            self.begun(admission.flow(), now);
        }
        Ok(convert::admission(admission))
    }

    /// A prepared flow is recorded when it is put into the table.
    fn prepare(&self, flow: NewFlow<K, V>) -> Result<Self::Ref, InsertErrorOf<K, V, Self>> {
        let shard = self.shard(flow.key());
        let prepared = self.table.prepare(convert::to_inner(flow, shard));
        prepared.map(TrackedRef::new).map_err(convert::insert_error)
    }

    fn reinsert(&self, flow: &Self::Ref, now: Timestamp) -> Result<Self::Ref, ReinsertError<Self::Ref>> {
        let again = self.table.reinsert(flow.inner(), now).map_err(convert::reinsert_error)?;
        self.begun(&again, now);
        Ok(TrackedRef::new(again))
    }

    fn remove<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<Self::Ref> {
        let removed = self.table.remove(key)?;
        self.feed.ended(&*removed);
        Some(TrackedRef::new(removed))
    }

    fn remove_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow> {
        let removed = self.table.remove_flow(flow.inner())?;
        if removed {
            self.feed.ended(flow.inner());
        }
        Ok(removed)
    }

    fn evict_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow> {
        let evicted = self.table.evict_flow(flow.inner())?;
        if evicted {
            self.feed.ended(flow.inner());
        }
        Ok(evicted)
    }

    fn try_for_each<B>(&self, mut visit: impl FnMut(&Self::Ref) -> ControlFlow<B>) -> ControlFlow<B> {
        self.table.try_for_each(|flow| visit(TrackedRef::ref_cast(flow)))
    }

    fn sample(&self, flows: usize, mut visit: impl FnMut(&Self::Ref)) {
        self.table.sample(flows, |flow| visit(TrackedRef::ref_cast(flow)));
    }

    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport {
        self.table.reap_with(now, budget, self.recorded(ended))
    }

    /// A deadline that an answer moves is repeated by the next sweep. There are no questions about flows of shards
    /// that another gateway owns.
    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ask: impl FnMut(&Self::Ref) -> Answer,
        ended: impl FnMut(Ended<Self::Ref>),
    ) -> ReapReport {
        let ownership = &self.feed.shared().ownership;
        let ask_own = |flow: &T::Ref| {
            let own = ownership.role(flow.value().shard()).owned;
            if own { ask(TrackedRef::ref_cast(flow)) } else { Answer::Proceed }
        };
        self.table.reap_asking(now, budget, ask_own, self.recorded(ended))
    }

    fn reap_local_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport {
        let report = self.table.reap_local_with(now, budget, self.recorded(ended));
        self.feed.flush_worthwhile();
        report
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    fn alarm(&self) -> &Alarm {
        self.table.alarm()
    }

    #[inline]
    fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn set_capacity(&self, flows: usize) {
        self.table.set_capacity(flows);
    }

    fn stats(&self) -> Stats {
        self.table.stats()
    }

    fn memory(&self) -> usize {
        self.table.memory()
    }

    fn shrink_to_fit(&self) {
        self.table.shrink_to_fit();
    }
}

impl<K, V, T: fmt::Debug, C> fmt::Debug for Replicated<K, V, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicated").field("table", &self.table).finish_non_exhaustive()
    }
}
