//! Generated scripts over a table whose keys meet in a few buckets: after every step the table's inner counts and
//! places agree with each other, and flows that should be found are found.
//!
//! Values may insert and remove as they are dropped, in the middle of another operation.

#![cfg(not(any(flow_table_loom, flow_table_shuttle)))]

use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use flow_table_custom::api::{
    Budget, Burst, Flow, KeyHasher, NewFlow, OnExpiry, Table, TableConfig, Timeout, Timestamp,
};
use flow_table_custom::{FlowTable, StrongRef};
use proptest::prelude::*;

const SEED: u64 = 7;
const STABLE: usize = 14;
const KEYS: usize = 48;

type Flows = FlowTable<u64, OnDrop>;

/// What a value does as it is dropped.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Nothing,
    Insert(usize),
    Remove(usize),
    LookUp(usize),
}

struct OnDrop(Deed, Weak<Flows>, Timestamp);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let Some(table) = self.1.upgrade() else { return };
        match self.0 {
            Deed::Nothing => {}
            Deed::Insert(key) => drop(table.insert(self.flow(key, Deed::Nothing), self.2)),
            Deed::Remove(key) => drop(table.remove(&key_of(key))),
            Deed::LookUp(key) => {
                let burst = table.burst(self.2);
                let _ = burst.get(&key_of(key)).is_some();
            }
        }
    }
}

impl OnDrop {
    fn flow(&self, key: usize, deed: Deed) -> NewFlow<u64, Self> {
        NewFlow::new(key_of(key), Self(deed, Weak::clone(&self.1), self.2)).timeout(Duration::from_secs(3))
    }
}

/// Keys of one segment, of two tags and two adjacent home buckets: they overflow, and their tags tell little.
fn key_of(number: usize) -> u64 {
    static ALIKE: OnceLock<Vec<u64>> = OnceLock::new();
    let alike = || {
        let hasher = KeyHasher::with_seed(SEED);
        let place = |key: u64| hasher.hash_one(key) >> 32;
        (0..).filter(|&key| place(key) & 0xffe0_02fe == place(0) & 0xffe0_02fe).take(KEYS).collect()
    };
    ALIKE.get_or_init(alike)[number]
}

#[derive(Clone, Debug)]
enum Step {
    Insert { key: usize, reply: Option<usize>, seconds: u64, keep: bool, deed: Deed },
    Remove(usize),
    LookUp(usize),
    Cancel(usize),
    Reinsert(usize),
    DropHandle(usize),
    Reap { budget: usize, hand_over: bool },
    OpenBurst,
    CloseBurst,
    Advance(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => Just(Deed::Nothing),
        2 => (STABLE..KEYS).prop_map(Deed::Insert),
        1 => (STABLE..KEYS).prop_map(Deed::Remove),
        1 => (0..KEYS).prop_map(Deed::LookUp),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let insert = (STABLE..KEYS, prop::option::of(STABLE..KEYS), 0..9u64, any::<bool>(), deed())
        .prop_map(|(key, reply, seconds, keep, deed)| Step::Insert { key, reply, seconds, keep, deed });
    prop_oneof![
        8 => insert,
        2 => (STABLE..KEYS).prop_map(Step::Remove),
        2 => (0..KEYS).prop_map(Step::LookUp),
        1 => any::<usize>().prop_map(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Reinsert),
        4 => any::<usize>().prop_map(Step::DropHandle),
        3 => (1..9usize, any::<bool>()).prop_map(|(budget, hand_over)| Step::Reap { budget, hand_over }),
        1 => Just(Step::OpenBurst),
        1 => Just(Step::CloseBurst),
        3 => (0..4u64).prop_map(Step::Advance),
    ]
}

struct Run {
    table: Arc<Flows>,
    now: Timestamp,
    handles: Vec<StrongRef<u64, OnDrop>>,
}

impl Run {
    fn new(capacity: usize) -> Self {
        let config = TableConfig::new(capacity).shards(1).hash_seed(SEED);
        let run = Self { table: Arc::new(Flows::with_config(config)), now: Timestamp::ZERO, handles: Vec::new() };
        for key in 0..STABLE {
            let flow = run.flow(key, Deed::Nothing).timeout(Timeout::NEVER);
            assert!(run.table.insert(flow, run.now).is_ok(), "there is room");
        }
        run
    }

    fn flow(&self, key: usize, deed: Deed) -> NewFlow<u64, OnDrop> {
        NewFlow::new(key_of(key), OnDrop(deed, Arc::downgrade(&self.table), self.now))
    }

    fn with_handle(&mut self, pick: usize, act: impl FnOnce(&Flows, &StrongRef<u64, OnDrop>, Timestamp)) {
        if let Some(at) = pick.checked_rem(self.handles.len()) {
            act(&self.table, &self.handles[at], self.now);
        }
    }

    fn take(&mut self, step: &Step) {
        let (table, now) = (Arc::clone(&self.table), self.now);
        match *step {
            Step::Insert { key, reply, seconds, keep, deed } => {
                let on_expiry = if keep { OnExpiry::KeepWhileReferenced } else { OnExpiry::Remove };
                let mut flow = self.flow(key, deed).timeout(Duration::from_secs(seconds)).on_expiry(on_expiry);
                if let Some(reply) = reply {
                    flow = flow.reply(key_of(reply));
                }
                self.handles.extend(table.insert(flow, now).ok().map(|inserted| inserted.flow));
            }
            Step::Remove(key) => self.handles.extend(table.remove(&key_of(key))),
            Step::LookUp(key) => drop(table.lookup(&key_of(key), now)),
            Step::Cancel(pick) => self.with_handle(pick, |_, flow, _| {
                flow.cancel();
            }),
            Step::Reinsert(pick) => self.with_handle(pick, |table, flow, now| drop(table.reinsert(flow, now))),
            Step::DropHandle(pick) => {
                let at = pick.checked_rem(self.handles.len());
                drop(at.map(|at| self.handles.swap_remove(at)));
            }
            Step::Reap { budget, hand_over: true } => drop(table.reap_with(now, Budget::flows(budget), drop)),
            Step::Reap { budget, hand_over: false } => drop(table.reap(now, Budget::flows(budget))),
            Step::Advance(seconds) => self.now += Duration::from_secs(seconds),
            Step::OpenBurst | Step::CloseBurst => {}
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        if let Err(wrong) = self.table.verify() {
            return Err(TestCaseError::fail(wrong));
        }
        for key in 0..STABLE {
            prop_assert!(self.table.lookup(&key_of(key), self.now).is_some(), "flow {} is lost", key);
        }
        Ok(())
    }

    /// Within a burst, if one is opened on the way.
    fn steps(&mut self, steps: &mut std::slice::Iter<'_, Step>, in_burst: bool) -> Result<(), TestCaseError> {
        while let Some(step) = steps.next() {
            match step {
                Step::OpenBurst if !in_burst => {
                    let table = Arc::clone(&self.table);
                    let burst = table.burst(self.now);
                    self.steps(steps, true)?;
                    drop(burst);
                }
                Step::CloseBurst if in_burst => return Ok(()),
                step => self.take(step),
            }
            self.check()?;
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_step_leaves_the_table_whole(steps in prop::collection::vec(step(), 0..80), capacity in 30usize..60) {
        let mut run = Run::new(capacity);
        run.steps(&mut steps.iter(), false)?;
        let Run { table, handles, .. } = run;
        drop(handles);
        // What was dropped may have inserted more.
        while table.reap(Timestamp::MAX, Budget::UNLIMITED).visited() > 0 {}
        prop_assert_eq!(table.len(), 0);
        prop_assert_eq!(table.stats().waiting, 0);
        prop_assert_eq!(table.verify(), Ok(()));
    }
}
