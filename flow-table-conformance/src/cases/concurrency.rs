use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use flow_table_api::{Budget, Burst, Ended, Flow, FlowRef, InsertError, OnExpiry, Status, Table, Timestamp};

use crate::actor::{Actor, id_of};
use crate::fixture::{Dice, Fixture, TIMEOUT, TestKey, at, race, rounds, secs};
use crate::history::{Event, Recorder, is_linearizable};
use crate::model::{FlowId, Model, Op, Outcome, Sight, Spec};
use crate::{Backend, Setup, TestRef};

/// Few places for the flows of many threads.
const CAPACITY: usize = 5;

/// Short histories of three threads that insert, look up, expire, refresh, cancel and remove under one key each
/// have a sequential explanation.
pub fn histories_of_one_key_are_linearizable<B: Backend>(setup: Setup) {
    histories::<B>(setup, |_| None);
}

/// The same when each flow has two keys, either way round: no half of a pair is ever seen.
pub fn histories_of_pairs_are_linearizable<B: Backend>(setup: Setup) {
    histories::<B>(setup, |key| Some(3 - key));
}

fn histories<B: Backend>(setup: Setup, reply: fn(u64) -> Option<u64>) {
    const THREADS: usize = 3;
    const STEPS: usize = 4;
    for round in 0..rounds(400) {
        let table = Fixture::<B>::new(setup, THREADS * STEPS);
        let recorder = Recorder::default();
        let parts = race(THREADS, |thread| {
            let mut dice = Dice::new(round, thread);
            let mut actor = Actor::<B>::new(&table, table.ledger().clone());
            let steps = (0..STEPS).map(|step| {
                let id = FlowId(thread * STEPS + step);
                let op = any_op(&mut dice, &actor, id, reply);
                // What a look-up finds is live; by the time that its status is read it need not be.
                recorder.record(op, |op| match actor.perform(op) {
                    Outcome::Found(Some(sight)) => Outcome::Found(Some(Sight { status: Status::Active, ..sight })),
                    seen => seen,
                })
            });
            let events: Vec<_> = steps.collect();
            (events, actor.handles)
        });
        let mut all = Actor::<B>::new(&table, table.ledger().clone());
        let mut history: Vec<Event> = Vec::new();
        for (events, handles) in parts {
            history.extend(events);
            all.handles.extend(handles);
        }
        let start = Model::new(table.capacity());
        let view = all.view();
        assert!(is_linearizable(&start, &history, &view), "round {round}: {}\n{view:?}", list(&history));
    }
}

fn list(history: &[Event]) -> String {
    history.iter().map(|event| format!("\n{event:?}")).collect()
}

/// An operation on the flows under key 1, or 1 and 2, at one of two times, the later of which is due.
fn any_op<B: Backend>(dice: &mut Dice, actor: &Actor<'_, B>, id: FlowId, reply: fn(u64) -> Option<u64>) -> Op {
    let key = if reply(1).is_some() { 1 + dice.below(2) as u64 } else { 1 };
    let now = [at(10), at(10), at(70)][dice.below(3)];
    let flow = Spec { id, key, reply: reply(key), timeout: TIMEOUT, on_expiry: OnExpiry::Remove };
    let held = actor.handles.last().map(id_of::<B>);
    match (dice.below(9), held) {
        (0, _) => Op::Insert { flow, now },
        (1, _) => Op::InsertIfAbsent { flow, now },
        (2, _) => Op::Remove { key },
        (3, Some(flow)) => Op::Cancel { flow },
        (4, Some(flow)) => Op::RemoveFlow { flow },
        (5, Some(flow)) => Op::Refresh { flow, now },
        (6, Some(flow)) => Op::Reinsert { flow, now },
        _ => Op::Lookup { key, now },
    }
}

/// While a key is replaced again and again, every look-up of it finds one flow or the other, live.
pub fn a_replaced_key_is_never_missing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    drop((table.put_pair(1, 2, at(0)), table.put(3, at(0))));
    race(3, |thread| {
        for round in 0..rounds(1_000) {
            if thread == 0 {
                let flow = if round % 2 == 0 { table.pair(2, 1) } else { table.pair(1, 2) };
                assert!(table.insert(flow, at(0)).expect("replaces").replaced.is_some());
                assert!(table.insert(table.flow(3), at(0)).expect("replaces").replaced.is_some());
            } else {
                for key in 1..=3 {
                    let found = table.find(key, at(0)).expect("the key is always there");
                    assert!(found.key() == &key.into() || found.reply_key() == Some(&key.into()));
                }
            }
        }
    });
    assert_eq!(table.len(), 2);
}

/// Who installs a flow finds it until it ends, whatever others do about the dead flows that had its key before.
pub fn nobody_loses_a_flow_to_a_dead_one<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    race(4, |thread| {
        let mut dice = Dice::new(0, thread);
        for round in 0..rounds(500) {
            let admission = table.insert_if_absent(table.flow(1), at(10)).expect("there is room");
            let flow = if admission.is_inserted() { admission.into_flow() } else { continue };
            for look in 0..3 {
                assert_eq!(table.find(1, at(10)).as_ref(), Some(&flow), "round {round}, look {look}");
            }
            match dice.below(4) {
                0 => assert!(flow.cancel()),
                1 => assert_eq!(table.remove_flow(&flow), Ok(true)),
                2 => {
                    // Expired, and found as such while this thread holds it, unless another flow has come.
                    table.set_deadline(&flow, at(5)).expect("live");
                    drop(table.find(1, at(10)));
                }
                _ => {
                    table.set_deadline(&flow, at(5)).expect("live");
                    table.reap_all(at(10));
                }
            }
            drop(flow);
            if dice.below(2) == 0 {
                table.reap_all(at(10));
            }
        }
    });
    table.reap_all(at(10));
    assert_eq!((table.len(), table.stats().dead_slots), (0, 0));
    assert_eq!(table.ledger().dropped(), table.ledger().made());
}

/// Threads that do everything at once in a table with few places: in the end each flow that expired or was
/// cancelled has been handed over exactly once, every value has been dropped, and the counters add up.
pub fn everything_at_once_adds_up<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    let shared = Shared::default();
    all_at_once(&table, &shared, |_, _| {});
    let (stats, handed_over) = (table.stats(), shared.handed_over());
    assert_eq!(handed_over.values().sum::<u64>(), stats.ended.expired + stats.ended.cancelled, "{stats:?}");
    assert!(handed_over.values().all(|&times| times == 1), "handed over more than once: {handed_over:?}");
}

/// The same with flows that are put back after their end, from whichever thread: each end is handed over at most
/// once.
pub fn everything_at_once_with_reinsertion_adds_up<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    let shared = Shared { puts_back: true, ..Shared::default() };
    all_at_once(&table, &shared, |flow, now| {
        if let Ok(inserted) = table.reinsert(flow, now) {
            inserted.made_room.into_iter().for_each(|ended| shared.hand_over(ended));
        }
    });
    let (stats, handed_over) = (table.stats(), shared.handed_over());
    assert!(stats.inserts > table.ledger().made() as u64 / 2, "some found room");
    assert!(handed_over.values().sum::<u64>() <= stats.ended.expired + stats.ended.cancelled, "{stats:?}");
}

fn all_at_once<B: Backend>(table: &Fixture<B>, shared: &Shared, let_go: impl Fn(&TestRef<B>, Timestamp) + Sync) {
    race(4, |thread| {
        let mut dice = Dice::new(1, thread);
        let mut held = Vec::new();
        for _ in 0..rounds(1_500) {
            act(table, shared, &mut dice, &mut held);
            assert!(table.len() <= CAPACITY, "more flows than the limit allows");
            if held.len() > 4 {
                let_go(&held.swap_remove(dice.below(4)), shared.now());
            }
        }
    });
    for flow in table.snapshot() {
        assert_eq!(table.lookup(flow.key(), Timestamp::ZERO), Some(flow.clone()));
        assert_eq!(flow.reply_key().and_then(|key| table.lookup(key, Timestamp::ZERO)), Some(flow.clone()));
    }
    table.reap_with(Timestamp::MAX, Budget::UNLIMITED, |ended| shared.hand_over(ended));
    let stats = table.stats();
    assert_eq!((stats.flows, stats.dead_slots), (0, 0), "{stats:?}");
    assert_eq!(table.ledger().dropped(), table.ledger().made());
}

/// What the threads of one run share: a time that only grows, and who was handed over how often.
#[derive(Default)]
struct Shared {
    /// Flows may be active again by the time that their end is handed over.
    puts_back: bool,
    seconds: AtomicU64,
    handed_over: Mutex<BTreeMap<usize, u64>>,
}

impl Shared {
    fn now(&self) -> Timestamp {
        // Relaxed: threads may see different times, as they may in earnest.
        at(self.seconds.load(Ordering::Relaxed))
    }

    fn hand_over<R: FlowRef<TestKey, crate::TestValue>>(&self, ended: Ended<R>) {
        assert!(self.puts_back || matches!(ended.flow.status(), Status::Expired | Status::Cancelled));
        let serial = ended.flow.value().serial();
        *self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).entry(serial).or_insert(0) += 1;
    }

    fn handed_over(&self) -> BTreeMap<usize, u64> {
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Some operation. Checks what it finds.
fn act<B: Backend>(table: &Fixture<B>, shared: &Shared, dice: &mut Dice, held: &mut Vec<TestRef<B>>) {
    let now = shared.now();
    let key = dice.below(6) as u64;
    let new = || table.pair(key, 10 + key).timeout(secs(5));
    match dice.below(12) {
        0 | 1 => match table.insert(new(), now) {
            Ok(inserted) => {
                inserted.made_room.into_iter().for_each(|ended| shared.hand_over(ended));
                held.push(inserted.flow);
            }
            Err(InsertError::Full { capacity, .. }) => assert_eq!(capacity, CAPACITY),
            Err(other) => panic!("{other:?}"),
        },
        2 | 3 => match table.get_or_insert_with(&(10 + key).into(), now, new) {
            Ok(flow_table_api::Admission::Inserted(inserted)) => {
                inserted.made_room.into_iter().for_each(|ended| shared.hand_over(ended));
                held.push(inserted.flow);
            }
            Ok(found) => held.push(found.into_flow()),
            Err(InsertError::Full { capacity, .. }) => assert_eq!(capacity, CAPACITY),
            Err(other) => panic!("{other:?}"),
        },
        4 => drop(table.remove(&key.into())),
        5 => {
            table.reap_with(now, Budget::flows(3), |ended| shared.hand_over(ended));
        }
        6 => {
            table.reap_local_with(now, Budget::UNLIMITED, |ended| shared.hand_over(ended));
        }
        7 => {
            shared.seconds.fetch_add(1, Ordering::Relaxed);
        }
        8 => {
            let burst = table.burst(now);
            let (keys, mut found) = ([key, 10 + key].map(TestKey::new), Vec::new());
            burst.get_batch(&keys, &mut found);
            for (key, flow) in keys.iter().zip(found) {
                let Some(flow) = flow else { continue };
                assert_eq!(flow.key_for(flow.direction()), Some(key));
                assert!(!table.ledger().is_dropped(flow.value().serial()));
                held.extend(burst.handle(flow));
            }
        }
        9 => drop(held.pop().map(|flow| (flow.cancel(), flow))),
        10 => drop(held.pop().map(|flow| (table.set_timeout(&flow, secs(1), now), flow.refresh(now)))),
        _ => {
            let (keys, mut found) = ([10 + key, key].map(TestKey::new), Vec::new());
            table.lookup_batch(&keys, now, &mut found);
            for (key, flow) in keys.iter().zip(found) {
                let Some(flow) = flow else { continue };
                assert_eq!(flow.key_for(flow.direction()), Some(key));
                assert!(!table.ledger().is_dropped(flow.value().serial()));
                held.push(flow);
            }
        }
    }
}
