//! The soak notices tables that are broken on purpose.

use std::io::sink;
use std::mem::forget;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use flow_table::dashmap::FlowTable;
use flow_table::{
    AdmissionOf, Alarm, Answer, Budget, Ended, FinalRecord, ForeignFlow, InsertErrorOf, Inserted, KeyForm,
    KeyHash, NewFlow, ReapReport, ReinsertError, Stats, Table, TableConfig, Timestamp,
};
use rstest::rstest;

use super::*;

/// Batches miss a flow once in a while.
const LOSES: u8 = 0;
/// Values wait for no burst.
const WAITS: u8 = 1;
/// What the table takes grows each time.
const GROWS: u8 = 2;
/// A reap leaks flows.
const LEAKS: u8 = 3;
const SOUND: u8 = 4;

struct Broken<const FLAW: u8> {
    table: FlowTable<FlowKey, Body>,
    calls: AtomicUsize,
}

type Ref = <FlowTable<FlowKey, Body> as Table<FlowKey, Body>>::Ref;

impl<const FLAW: u8> Broken<FLAW> {
    /// How often this was called; zero if the flaw is another.
    fn calls(&self, flaw: u8) -> usize {
        if FLAW == flaw { 1 + self.calls.fetch_add(1, Ordering::Relaxed) } else { 0 }
    }

    /// Returns `true` once in this many calls, if this is the flaw.
    fn now_and_then(&self, flaw: u8, calls: usize) -> bool {
        self.calls(flaw) % calls == 1
    }
}

impl<const FLAW: u8> Table<FlowKey, Body> for Broken<FLAW> {
    type Flow = <FlowTable<FlowKey, Body> as Table<FlowKey, Body>>::Flow;
    type Ref = Ref;
    type Burst<'t> = <FlowTable<FlowKey, Body> as Table<FlowKey, Body>>::Burst<'t>;

    fn with_config(config: TableConfig) -> Self {
        Self { table: FlowTable::with_config(config), calls: AtomicUsize::new(0) }
    }

    fn with_records(
        config: TableConfig,
        record: impl Fn(FinalRecord<FlowKey, Body>) + Send + Sync + 'static,
    ) -> Self {
        Self { table: FlowTable::with_records(config, record), calls: AtomicUsize::new(0) }
    }

    fn lookup_hashed<Q: KeyForm<FlowKey> + ?Sized>(&self, key: &Q, hash: KeyHash, now: Timestamp) -> Option<Ref> {
        self.table.lookup_hashed(key, hash, now)
    }

    fn lookup_batch<Q: KeyForm<FlowKey>>(&self, keys: &[Q], now: Timestamp, found: &mut Vec<Option<Ref>>) {
        self.table.lookup_batch(keys, now, found);
        if self.now_and_then(LOSES, 100)
            && let Some(first) = found.first_mut()
        {
            *first = None;
        }
    }

    fn hash<Q: KeyForm<FlowKey> + ?Sized>(&self, key: &Q) -> KeyHash {
        self.table.hash(key)
    }

    fn hash_of(&self, external: u64) -> KeyHash {
        self.table.hash_of(external)
    }

    fn burst(&self, now: Timestamp) -> Self::Burst<'_> {
        self.table.burst(now)
    }

    fn insert(
        &self,
        flow: NewFlow<FlowKey, Body>,
        now: Timestamp,
    ) -> Result<Inserted<Ref>, InsertErrorOf<FlowKey, Body, Self>> {
        self.table.insert(flow, now)
    }

    fn insert_if_absent(
        &self,
        flow: NewFlow<FlowKey, Body>,
        now: Timestamp,
    ) -> Result<AdmissionOf<FlowKey, Body, Self>, InsertErrorOf<FlowKey, Body, Self>> {
        self.table.insert_if_absent(flow, now)
    }

    fn reinsert(&self, flow: &Ref, now: Timestamp) -> Result<Ref, ReinsertError<Ref>> {
        self.table.reinsert(flow, now)
    }

    fn remove<Q: KeyForm<FlowKey> + ?Sized>(&self, key: &Q) -> Option<Ref> {
        self.table.remove(key)
    }

    fn remove_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow> {
        self.table.remove_flow(flow)
    }

    fn evict_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow> {
        self.table.evict_flow(flow)
    }

    fn try_for_each<R>(&self, visit: impl FnMut(&Ref) -> ControlFlow<R>) -> ControlFlow<R> {
        self.table.try_for_each(visit)
    }

    fn sample(&self, flows: usize, visit: impl FnMut(&Ref)) {
        self.table.sample(flows, visit);
    }

    fn prepare(&self, flow: NewFlow<FlowKey, Body>) -> Result<Ref, InsertErrorOf<FlowKey, Body, Self>> {
        self.table.prepare(flow)
    }

    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        ask: impl FnMut(&Ref) -> Answer,
        ended: impl FnMut(Ended<Ref>),
    ) -> ReapReport {
        self.table.reap_asking(now, budget, ask, ended)
    }

    fn alarm(&self) -> &Alarm {
        self.table.alarm()
    }

    fn reap_with(&self, now: Timestamp, budget: Budget, mut ended: impl FnMut(Ended<Ref>)) -> ReapReport {
        self.table.reap_with(now, budget, |flow| {
            if self.now_and_then(LEAKS, 100) {
                forget(flow.flow.clone());
            }
            ended(flow);
        })
    }

    fn reap_local_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Ref>)) -> ReapReport {
        self.table.reap_local_with(now, budget, ended)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn set_capacity(&self, flows: usize) {
        self.table.set_capacity(flows);
    }

    fn stats(&self) -> Stats {
        let mut stats = self.table.stats();
        stats.waiting += self.calls(WAITS);
        stats
    }

    fn memory(&self) -> usize {
        self.table.memory() + (self.calls(GROWS) << 24)
    }

    fn shrink_to_fit(&self) {
        self.table.shrink_to_fit();
    }
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: SoakArgs,
}

/// What is found wrong with a table in ordinary hands.
fn violation<const FLAW: u8>() -> Option<String> {
    let line = ["soak", "--operations", "60000", "--threads", "2", "--flows", "200", "--ordinary"];
    let args = Line::parse_from(line).args;
    soak::<Broken<FLAW>>(&args, 7, &mut sink()).expect("nothing hangs").1
}

#[rstest]
#[case(violation::<LOSES>, "L1: ", ", which never ends")]
#[case(violation::<WAITS>, "U2: values wait, and no burst is open", "")]
#[case(violation::<GROWS>, "C3: ", " bytes at rest")]
#[case(violation::<LEAKS>, "V1: ", " dropped")]
fn a_broken_table_is_found_out(#[case] soak: fn() -> Option<String>, #[case] rule: &str, #[case] what: &str) {
    let violation = soak().expect("a violation");
    assert!(violation.starts_with(rule) && violation.contains(what), "{violation}");
}

#[test]
fn a_sound_table_is_not() {
    assert_eq!(violation::<SOUND>(), None);
}
