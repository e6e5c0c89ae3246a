//! The simplest backend there could be: one lock around maps of the standard library.
//!
//! To write one of your own, read past the lines about a `Flaw`: they break it for `tests/teeth.rs`.

mod burst;
mod drops;
#[macro_use]
pub mod flaw;
mod inner;
mod insert;
mod limbo;
pub mod lock;
mod node;
mod reap;
mod shared;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flow_table_conformance::api::{
    Admission, Alarm, Answer, Budget, Direction, EndCounts, Ended, FinalRecord, Flow, ForeignFlow, InsertError,
    Inserted, Key, KeyForm, KeyHash, NewFlow, OnExpiry, ReapReport, ReinsertError, Stats, Status, Table,
    TableConfig, Timestamp, Value,
};

use burst::OpenBurst;
use drops::{drop_each, drop_until_a_panic};
use flaw::Flaw;
use inner::{Inner, Met, Spare};
use insert::Refused;
use node::{Handle, Node};
use shared::Shared;

pub struct Stranger<K: Key, V: Value>(Arc<Shared<K, V>>);

type AdmissionResult<K, V> = Result<Admission<K, V, Handle<K, V>>, InsertError<K, V, Handle<K, V>>>;
type ReadmissionResult<K, V> = Result<Handle<K, V>, ReinsertError<Handle<K, V>>>;

impl<K: Key, V: Value> Stranger<K, V> {
    fn check_own(&self, flow: &Node<K, V>) -> Result<(), ForeignFlow> {
        let own = std::ptr::eq(flow.table.as_ptr(), Arc::as_ptr(&self.0));
        if own || self.0.is(Flaw::TakesForeignFlows) { Ok(()) } else { Err(ForeignFlow) }
    }

    /// Whether a look-up can return the flow as it is.
    fn is_plainly_live(&self, node: &Node<K, V>, now: Timestamp) -> bool {
        if self.0.is(Flaw::FindsTheExpired) {
            return node.status() == Status::Active;
        }
        node.is_live(now) && !self.0.is(Flaw::AgeWrapsAround)
    }

    fn lookup_slowly<Q: KeyForm<K> + ?Sized>(
        &self,
        hash: u64,
        key: &Q,
        now: Timestamp,
        spare: &mut Spare<K, V>,
    ) -> Option<Handle<K, V>> {
        let mut inner = self.0.inner.write();
        inner.prune(hash);
        let (node, direction) = inner.find(hash, key, spare)?;
        let live = inner.settle(&node, now);
        if !live && self.0.is(Flaw::LookupForgetsEnds) {
            spare.extend(inner.release(node.id));
        }
        let keep = node.on_expiry() == OnExpiry::KeepWhileReferenced || self.0.is(Flaw::IgnoresTheOption);
        let held = node.is_held() || self.0.is(Flaw::CountsItsOwnReference);
        let found = live || node.status() == Status::Expired && keep && held;
        found.then(|| Handle::new(node, direction))
    }

    fn remove_counted(
        &self,
        flow: &Node<K, V>,
        count: impl FnOnce(&mut EndCounts) -> &mut u64,
    ) -> Result<bool, ForeignFlow> {
        self.check_own(flow)?;
        let mut inner = self.0.inner.write();
        if !flow.state.detach() {
            return Ok(false);
        }
        *count(&mut inner.stats.ended) += 1;
        inner.unlink(flow.id, &flow.hashes);
        if self.0.is(Flaw::RemovingLeavesANote) {
            inner.notes.push(flow.id);
        }
        let released = inner.release(flow.id);
        drop(inner);
        drop(released);
        Ok(true)
    }

    fn remove_by<Q: KeyForm<K> + ?Sized>(&self, key: &Q, spare: &mut Spare<K, V>) -> Option<Handle<K, V>> {
        let hash = self.0.hash(key);
        let mut inner = self.0.inner.write();
        let (node, direction) = inner.find(hash, key, spare)?;
        inner.unlink(node.id, &node.hashes);
        if self.0.is(Flaw::RemovingClearsByTag) {
            inner.clear_by_tag(hash);
        }
        if !node.state.detach() {
            return None;
        }
        inner.stats.ended.removed += 1;
        if self.0.is(Flaw::LeaksRemovedValues) {
            std::mem::forget(Arc::clone(&node));
        }
        if !self.0.is(Flaw::RemovedFlowsStay) {
            spare.extend(inner.release(node.id));
        }
        Some(Handle::new(node, direction))
    }
}

impl<K: Key, V: Value> Table<K, V> for Stranger<K, V> {
    type Flow = Node<K, V>;
    type Ref = Handle<K, V>;
    type Burst<'t> = OpenBurst<'t, K, V>;

    fn with_config(config: TableConfig) -> Self {
        Self(Arc::new(Shared::new(&config, None)))
    }

    fn with_records(config: TableConfig, record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared::new(&config, Some(Arc::new(record)))))
    }

    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        KeyHash::new(self.0.hash(key))
    }

    fn hash_of(&self, external: u64) -> KeyHash {
        KeyHash::new(self.0.hash(&external))
    }

    fn lookup_hashed<Q: KeyForm<K> + ?Sized>(
        &self,
        key: &Q,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<Handle<K, V>> {
        let hash = hash.get();
        let mut spare = Vec::new();
        let met_dead = self.0.is(Flaw::LookupClearsByKey) && self.0.inner.read().has_dead(|other| other == hash);
        let met: Met<K, V> = if self.0.is(Flaw::LookupsExclude) {
            self.0.inner.write().find(hash, key, &mut spare)
        } else {
            self.0.inner.read().find(hash, key, &mut spare)
        };
        let found = match met {
            Some((node, _)) if self.0.is(Flaw::ForgetsDirections) && node.is_live(now) => {
                Some(Handle::new(node, Direction::Forward))
            }
            Some((node, direction)) if self.is_plainly_live(&node, now) => Some(Handle::new(node, direction)),
            _ => self.lookup_slowly(hash, key, now, &mut spare),
        };
        if met_dead {
            let mut inner = self.0.inner.write();
            inner.ids_under(hash).into_iter().for_each(|id| inner.unlink(id, &[hash]));
        }
        self.0.give(found, spare)
    }

    fn burst(&self, now: Timestamp) -> OpenBurst<'_, K, V> {
        OpenBurst::new(self, now)
    }

    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<Handle<K, V>>, InsertError<K, V, Handle<K, V>>> {
        self.admit(flow, now, true).map_err(|refused| match refused {
            Refused::Held { flow, holder, key } => InsertError::Conflict { flow, holder, key },
            Refused::Otherwise(error) => error,
        })
    }

    fn insert_if_absent(&self, flow: NewFlow<K, V>, now: Timestamp) -> AdmissionResult<K, V> {
        match self.admit(flow, now, false) {
            Ok(inserted) => Ok(Admission::Inserted(inserted.flow)),
            Err(Refused::Held { flow, holder, key }) => {
                Ok(Admission::Existing { holder, key, rejected: Some(flow) })
            }
            Err(Refused::Otherwise(error)) => Err(error),
        }
    }

    fn prepare(&self, flow: NewFlow<K, V>) -> Result<Handle<K, V>, InsertError<K, V, Handle<K, V>>> {
        self.make_ready(flow)
    }

    fn reinsert(&self, flow: &Handle<K, V>, now: Timestamp) -> ReadmissionResult<K, V> {
        self.readmit(flow, now)
    }

    fn remove<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<Handle<K, V>> {
        let mut spare = Vec::new();
        let removed = self.remove_by(key, &mut spare);
        self.0.give(removed, spare)
    }

    fn remove_flow(&self, flow: &Node<K, V>) -> Result<bool, ForeignFlow> {
        self.remove_counted(flow, |ended| &mut ended.removed)
    }

    fn evict_flow(&self, flow: &Node<K, V>) -> Result<bool, ForeignFlow> {
        let as_removed = self.0.is(Flaw::EvictedCountAsRemoved);
        self.remove_counted(flow, |ended| if as_removed { &mut ended.removed } else { &mut ended.evicted })
    }

    fn try_for_each<R>(&self, mut visit: impl FnMut(&Handle<K, V>) -> ControlFlow<R>) -> ControlFlow<R> {
        let handle = |node: &Arc<Node<K, V>>| Handle::new(Arc::clone(node), Direction::Forward);
        let flows: Vec<_> = self.0.inner.read().nodes().map(handle).collect();
        let visits = catch_unwind(AssertUnwindSafe(|| {
            flows.iter().filter(|flow| flow.status() == Status::Active).try_for_each(&mut visit)
        }));
        let _lock = self.0.is(Flaw::DropsUnderLock).then(|| self.0.inner.write());
        drop_each(flows);
        visits.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn sample(&self, flows: usize, mut visit: impl FnMut(&Handle<K, V>)) {
        let handle = |node: &Arc<Node<K, V>>| Handle::new(Arc::clone(node), Direction::Forward);
        let mut all: Vec<_> = self.0.inner.read().nodes().map(handle).collect();
        all.sort_unstable_by_key(|flow| flow.node().id);
        all.retain(|flow| flow.status() == Status::Active);
        // Relaxed: any start will do.
        let turn = self.0.sampled.fetch_add(flows, Ordering::Relaxed);
        let turn = if self.0.is(Flaw::SamplesTheSame) { 0 } else { turn };
        let from = turn.checked_rem(all.len()).unwrap_or(0);
        all.rotate_left(from);
        all.iter().take(flows).for_each(&mut visit);
    }

    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        ask: impl FnMut(&Handle<K, V>) -> Answer,
        ended: impl FnMut(Ended<Handle<K, V>>),
    ) -> ReapReport {
        self.ask_all(now, budget, ask, ended)
    }

    fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }
    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Handle<K, V>>)) -> ReapReport {
        self.reap_all(now, budget, ended)
    }

    fn reap_local_with(
        &self,
        now: Timestamp,
        budget: Budget,
        ended: impl FnMut(Ended<Handle<K, V>>),
    ) -> ReapReport {
        self.reap_all(now, budget, ended)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.0.inner.read().next_deadline()
    }

    fn len(&self) -> usize {
        let len = self.0.inner.read().len();
        if self.0.is(Flaw::ExceedsTheLimit) { len.min(self.capacity()) } else { len }
    }

    fn capacity(&self) -> usize {
        // Relaxed: the number stands for itself.
        self.0.capacity.load(Ordering::Relaxed)
    }

    fn set_capacity(&self, flows: usize) {
        let _inner = self.0.inner.write();
        // Relaxed: as above; insertions read it under the lock.
        self.0.capacity.store(flows, Ordering::Relaxed);
    }

    fn stats(&self) -> Stats {
        let inner = self.0.inner.read();
        let mut stats = inner.stats;
        stats.flows = inner.len();
        stats.dying = inner.dying();
        let times = self.0.limbo.times();
        let latest = self.0.is(Flaw::TellsTheLatestBurst);
        stats.oldest_burst = if latest { times.iter().max() } else { times.iter().min() }.copied();
        stats.shards = 1;
        stats.bytes = inner.bytes();
        stats
    }

    fn memory(&self) -> usize {
        self.0.inner.read().bytes()
    }

    fn shrink_to_fit(&self) {
        self.0.inner.write().shrink_to_fit();
    }
}

impl<K: Key, V: Value> Drop for Stranger<K, V> {
    fn drop(&mut self) {
        let inner = std::mem::replace(&mut *self.0.inner.write(), Inner::new(None));
        if self.0.is(Flaw::LeavesFlowsActive) {
            return;
        }
        while self.0.is(Flaw::TableWaitsForBursts) && self.0.limbo.is_open() {
            std::thread::park();
        }
        if self.0.is(Flaw::TableLeaksWhatWaits) {
            self.0.limbo.leak();
        }
        if self.0.is(Flaw::TableLeaksTheDying) {
            inner
                .nodes()
                .filter(|node| node.died.load(Ordering::Relaxed))
                .for_each(|node| std::mem::forget(Arc::clone(node)));
        }
        let nodes: Vec<_> = inner.nodes().map(Arc::clone).collect();
        drop(inner);
        for node in &nodes {
            node.state.detach();
        }
        if self.0.is(Flaw::TableLeaksTheRest) { drop_until_a_panic(nodes) } else { drop_each(nodes) }
    }
}
