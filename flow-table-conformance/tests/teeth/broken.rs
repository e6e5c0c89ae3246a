//! The stranger's backend, which may be broken inside, with more that can be broken from outside.

use std::cmp::Reverse;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flow_table_conformance::api::{
    Admission, AdmissionOf, Alarm, Answer, Budget, Dump, Ended, FinalRecord, Flow, FlowSpec, ForeignFlow,
    InsertError, InsertErrorOf, Inserted, Key, KeyForm, KeyHash, NewFlow, ReapReport, ReinsertError, Stats, Table,
    TableConfig, Timestamp, Value,
};

use crate::stranger::Stranger;
use crate::stranger::flaw::{self, Flaw};
use crate::stranger::lock::Lock;

pub struct Broken<K: Key, V: Value> {
    table: Stranger<K, V>,
    flaw: Option<Flaw>,
    /// Taken for a moment by every operation, and by some flaws for too long.
    gate: Lock<()>,
    made: Instant,
    /// The latest time that a caller gave.
    latest: AtomicU64,
    /// Held by a reap.
    reaping: Lock<()>,
    /// What a reap has found and not yet handed over.
    reaped: Mutex<Vec<Ended<RefOf<K, V>>>>,
}

/// Reaped flows, and whether they are leaked on the way out.
struct Taken<F>(Vec<F>, bool);

impl<F> Drop for Taken<F> {
    fn drop(&mut self) {
        if self.1 {
            std::mem::take(&mut self.0).into_iter().for_each(std::mem::forget);
        }
    }
}

type RefOf<K, V> = <Stranger<K, V> as Table<K, V>>::Ref;

impl<K: Key, V: Value> Broken<K, V> {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The table, for an operation that must not be called under a lock.
    fn enter(&self) -> &Stranger<K, V> {
        drop(self.gate.read());
        &self.table
    }

    fn time(&self, now: Timestamp) -> Timestamp {
        if self.is(Flaw::TimeOnlyGrows) {
            let latest = self.latest.fetch_max(now.as_nanos(), Ordering::Relaxed);
            return now.max(Timestamp::from_nanos(latest));
        }
        if self.is(Flaw::ReadsAClock) { now + self.made.elapsed() } else { now }
    }

    fn of(table: Stranger<K, V>) -> Self {
        Self {
            table,
            flaw: flaw::chosen(),
            gate: Lock::new(()),
            made: Instant::now(),
            latest: AtomicU64::new(0),
            reaping: Lock::new(()),
            reaped: Mutex::default(),
        }
    }

    fn evict_any(&self) {
        if let Some(flow) = self.table.snapshot().first() {
            self.table.remove_flow(flow).expect("the table's own");
        }
    }
}

impl<K: Key, V: Value> Table<K, V> for Broken<K, V> {
    type Flow = <Stranger<K, V> as Table<K, V>>::Flow;
    type Ref = RefOf<K, V>;
    type Burst<'t> = <Stranger<K, V> as Table<K, V>>::Burst<'t>;

    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        self.table.hash(key)
    }

    fn hash_of(&self, external: u64) -> KeyHash {
        self.table.hash_of(external)
    }

    fn with_config(config: TableConfig) -> Self {
        Self::of(Stranger::with_config(config))
    }

    fn with_records(config: TableConfig, record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static) -> Self {
        let lock = Lock::new(());
        let record = move |flow| {
            let _lock = (flaw::chosen() == Some(Flaw::RecordsUnderLock)).then(|| lock.write());
            record(flow);
        };
        Self::of(Stranger::with_records(config, record))
    }

    fn lookup_hashed<Q: KeyForm<K> + ?Sized>(&self, key: &Q, hash: KeyHash, now: Timestamp) -> Option<Self::Ref> {
        if self.is(Flaw::FindsByKeysAlone) && size_of_val(key) != size_of::<K>() {
            return None;
        }
        let hash = if self.is(Flaw::HashesAgain) { self.hash(key) } else { hash };
        self.enter().lookup_hashed(key, hash, self.time(now))
    }

    fn lookup_batch<Q: KeyForm<K>>(&self, keys: &[Q], now: Timestamp, found: &mut Vec<Option<Self::Ref>>) {
        if !self.is(Flaw::BatchAppends) {
            found.clear();
        }
        found.extend(keys.iter().map(|key| self.lookup(key, now)));
        if self.is(Flaw::BatchBackwards) {
            found.reverse();
        }
    }

    fn burst(&self, now: Timestamp) -> Self::Burst<'_> {
        self.enter().burst(now)
    }

    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<Self::Ref>, InsertErrorOf<K, V, Self>> {
        let table = self.enter();
        let full = table.len() >= table.capacity();
        if full && self.is(Flaw::EvictsTheLive) {
            self.evict_any();
        }
        if full && self.is(Flaw::MakesNoRoom) && table.lookup(flow.key(), now).is_none() {
            return Err(InsertError::Full { flow, capacity: table.capacity() });
        }
        table.insert(flow, now)
    }

    fn insert_if_absent(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        if self.is(Flaw::DisplacesTheLive) {
            return self.insert(flow, now).map(|inserted| Admission::Inserted(inserted.flow));
        }
        self.enter().insert_if_absent(flow, now)
    }

    fn get_or_insert_with(
        &self,
        spec: FlowSpec<K>,
        now: Timestamp,
        make: impl FnOnce() -> V,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        let make = || {
            let _lock = self.is(Flaw::MakesUnderLock).then(|| self.gate.write());
            make()
        };
        if self.is(Flaw::MakesOnAHit) {
            return self.insert_if_absent(spec.value(make()), now);
        }
        self.table.get_or_insert_with(spec, now, make)
    }

    fn reinsert(&self, flow: &Self::Ref, now: Timestamp) -> Result<Self::Ref, ReinsertError<Self::Ref>> {
        self.enter().reinsert(flow, now)
    }

    fn remove<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<Self::Ref> {
        self.enter().remove(key)
    }

    fn remove_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow> {
        if self.is(Flaw::RemovesByKey) {
            return Ok(self.remove(flow.key()).is_some());
        }
        self.enter().remove_flow(flow)
    }

    fn evict_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow> {
        self.enter().evict_flow(flow)
    }

    fn evict<R: Ord>(
        &self,
        looks: usize,
        mut rank: impl FnMut(&Self::Ref) -> Option<R>,
    ) -> Option<Ended<Self::Ref>> {
        let evicted = if self.is(Flaw::EvictsTheHighest) {
            self.enter().evict(looks, |flow| rank(flow).map(Reverse))
        } else {
            self.enter().evict(looks, rank)
        };
        evicted.filter(|_| !self.is(Flaw::LosesTheEvicted))
    }

    fn try_for_each<R>(&self, mut visit: impl FnMut(&Self::Ref) -> ControlFlow<R>) -> ControlFlow<R> {
        let mut left = ControlFlow::Continue(());
        self.enter().try_for_each(|flow| {
            let _lock = self.is(Flaw::VisitsUnderLock).then(|| self.gate.write());
            let mut result = visit(flow);
            if self.is(Flaw::VisitsPairsTwice) && flow.reply_key().is_some() {
                result = visit(flow);
            }
            if self.is(Flaw::IteratesToTheEnd) && result.is_break() {
                left = result;
                return ControlFlow::Continue(());
            }
            result
        })?;
        left
    }

    fn sample(&self, flows: usize, visit: impl FnMut(&Self::Ref)) {
        self.enter().sample(flows, visit);
    }

    fn dump(&self, mut filter: impl FnMut(&Self::Ref) -> bool) -> Dump<K, V, Self::Ref>
    where
        K: Ord + fmt::Display,
        V: fmt::Debug,
    {
        let mut first = self.is(Flaw::DumpsLackOne);
        self.enter().dump(|flow| filter(flow) && !std::mem::take(&mut first))
    }

    fn prepare(&self, flow: NewFlow<K, V>) -> Result<Self::Ref, InsertErrorOf<K, V, Self>> {
        self.enter().prepare(flow)
    }

    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        ask: impl FnMut(&Self::Ref) -> Answer,
        ended: impl FnMut(Ended<Self::Ref>),
    ) -> ReapReport {
        self.enter().reap_asking(self.time(now), budget, ask, ended)
    }

    fn alarm(&self) -> &Alarm {
        self.table.alarm()
    }

    fn reap_with(&self, now: Timestamp, budget: Budget, mut ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport {
        let budget = if self.is(Flaw::IgnoresTheBudget) { Budget::UNLIMITED } else { budget };
        let _lock = self.is(Flaw::ReapsOneAtATime).then(|| self.reaping.write());
        if self.is(Flaw::SharesItsBuffer) {
            self.reaped.lock().expect("no panic").clear();
            let keep = |flow| self.reaped.lock().expect("no panic").push(flow);
            let report = self.enter().reap_with(self.time(now), budget, keep);
            while let Some(flow) = { self.reaped.lock().expect("no panic").pop() } {
                ended(flow);
            }
            return report;
        }
        let mut taken = Vec::new();
        let mut report = self.enter().reap_with(self.time(now), budget, |flow| {
            if self.is(Flaw::PanicLosesTheRest) || self.is(Flaw::PanicLeaksTheRest) {
                taken.push(flow);
                return;
            }
            if self.is(Flaw::HandsOverTwice) {
                ended(flow.clone());
            }
            ended(flow);
        });
        report.more &= !self.is(Flaw::GivesUpEarly);
        let mut taken = Taken(taken, self.is(Flaw::PanicLeaksTheRest));
        while let Some(flow) = taken.0.pop() {
            ended(flow);
        }
        report
    }

    fn reap_local_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport {
        self.reap_with(now, budget, ended)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let late = if self.is(Flaw::NextDeadlineLate) { Duration::from_secs(1) } else { Duration::ZERO };
        self.enter().next_deadline().map(|next| next + late)
    }

    fn len(&self) -> usize {
        self.enter().len()
    }

    fn capacity(&self) -> usize {
        self.enter().capacity()
    }

    fn set_capacity(&self, flows: usize) {
        while self.is(Flaw::LoweringEvicts) && self.len() > flows {
            self.evict_any();
        }
        let none = flows == 0 && self.is(Flaw::ZeroIsNoLimit);
        self.enter().set_capacity(if none { usize::MAX } else { flows });
    }

    fn stats(&self) -> Stats {
        let mut stats = self.enter().stats();
        if self.is(Flaw::ForgetsRefusals) {
            stats.refusals = 0;
        }
        stats
    }

    fn memory(&self) -> usize {
        self.enter().memory()
    }

    fn shrink_to_fit(&self) {
        self.enter().shrink_to_fit();
    }
}
