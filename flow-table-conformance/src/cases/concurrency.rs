use std::thread;

use flow_table_api::{Flow, FlowRef, OnExpiry, Status, Table};

use crate::actor::{Actor, id_of};
use crate::fixture::{Dice, Fixture, TIMEOUT, at, race, rounds};
use crate::history::{Event, Recorder, is_linearizable};
use crate::model::{FlowId, Model, Op, Outcome, Sight, Spec};
use crate::{Backend, Setup};

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
    race(4, |index| {
        let mut dice = Dice::new(0, index);
        for round in 0..rounds(500) {
            let admission = table.insert_if_absent(table.flow(1), at(10)).expect("there is room");
            // Others have their turn, on a single processor too.
            thread::yield_now();
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
            match dice.below(3) {
                0 => drop(table.find(1, at(10))),
                1 => assert!(!table.reap_all(at(10)).more),
                _ => {}
            }
        }
    });
    table.reap_all(at(10));
    assert_eq!((table.len(), table.stats().dead_slots), (0, 0));
    assert_eq!(table.ledger().dropped(), table.ledger().made());
}
