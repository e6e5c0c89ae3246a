use flow_table_api::{Budget, Burst, Flow, FlowRef, NewFlow, Table};

use crate::fixture::{Fixture, TestKey, at, inject, panic_at, survive};
use crate::{Backend, Setup, TestRef};

const CAPACITY: usize = 12;

/// The `id`-th of keys that all collide, so that `Eq` is called often.
fn key(id: u64) -> TestKey {
    TestKey::colliding(id)
}

/// A table with the pairs (0, 100) to (4, 104), the last one cancelled, and a detached flow (50, 150).
fn prepare<B: Backend>(setup: Setup) -> (Fixture<B>, TestRef<B>) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    for id in 0..5 {
        drop(table.put_pair(key(id), key(100 + id), at(0)));
    }
    assert!(table.find(key(4), at(0)).expect("live").cancel());
    let detached = table.put_pair(key(50), key(150), at(0));
    assert_eq!(table.remove_flow(&detached), Ok(true));
    (table, detached)
}

/// Whatever was interrupted: no half of a pair is left, no place is lost, everything works, all can be reaped.
fn check<B: Backend>(table: &Fixture<B>, after: &str) {
    for flow in table.snapshot() {
        for key in [Some(flow.key()), flow.reply_key()].into_iter().flatten() {
            assert_eq!(table.lookup(key, at(0)).as_ref(), Some(&flow), "{after}: {key:?} was lost");
        }
    }
    let found = (0..200).filter_map(|id| table.find(key(id), at(0)));
    assert!(
        found.into_iter().all(|flow| table.snapshot().contains(&flow)),
        "{after}: a flow is found, but not there"
    );
    table.reap_all(at(0));
    assert_eq!(table.len(), table.snapshot().len(), "{after}: something else is held");
    for id in 0..(CAPACITY - table.len()) as u64 {
        drop(table.put(key(500 + id), at(0)));
    }
    assert!(table.insert(table.flow(key(600)), at(0)).is_err(), "{after}: the limit is gone");
    assert_eq!(table.reap_all(at(1_000)).expired, CAPACITY, "{after}: a flow cannot be reaped");
    assert_eq!((table.len(), table.stats().dead_slots), (0, 0), "{after}");
}

type Act<B> = fn(&Fixture<B>, &TestRef<B>);

/// Every operation, by name.
fn operations<B: Backend>() -> [(&'static str, Act<B>); 19] {
    [
        ("lookup", |table, _| drop(table.find(key(103), at(0)))),
        ("lookup of nothing", |table, _| drop(table.find(key(9), at(0)))),
        ("lookup when due", |table, _| drop(table.find(key(1), at(60)))),
        ("lookup_batch", |table, _| table.lookup_batch(&[key(0), key(9), key(101)], at(0), &mut Vec::new())),
        ("burst", |table, _| assert!(table.burst(at(0)).get(&key(2)).is_some())),
        ("insert", |table, _| drop(table.insert(table.pair(key(9), key(109)), at(0)))),
        ("replacing insert", |table, _| drop(table.insert(table.pair(key(1), key(109)), at(0)))),
        ("replacing insert across", |table, _| drop(table.insert(table.pair(key(101), key(1)), at(0)))),
        ("insert in conflict", |table, _| drop(table.insert(table.pair(key(1), key(102)), at(0)))),
        ("insert over what is due", |table, _| drop(table.insert(table.pair(key(1), key(102)), at(60)))),
        ("insert_if_absent", |table, _| drop(table.insert_if_absent(table.pair(key(9), key(2)), at(0)))),
        ("get_or_insert_with", |table, _| {
            drop(table.get_or_insert_with(&key(9), at(0), || table.pair(key(109), key(9))));
        }),
        ("reinsert", |table, detached| drop(table.reinsert(detached, at(0)))),
        ("remove", |table, _| drop(table.remove(&key(102)))),
        ("remove_flow", |table, _| {
            assert!(table.snapshot().iter().all(|flow| table.remove_flow(flow) == Ok(true)))
        }),
        ("cancel", |table, _| assert!(table.snapshot().iter().all(FlowRef::cancel))),
        ("reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("retain", |table, _| assert_eq!(table.retain(|flow| *flow.key() == key(1)), 3)),
        ("set_deadline and shrink", |table, _| {
            assert!(table.snapshot().iter().all(|flow| table.set_deadline(flow, at(1)).is_ok()));
            table.shrink_to_fit();
        }),
    ]
}

/// A panic in any single call of `Hash` or `Eq`, in any operation, leaves the table consistent.
pub fn hash_and_eq_may_panic_anywhere<B: Backend>(setup: Setup) {
    for (name, act) in operations::<B>() {
        for call in 0.. {
            let (table, detached) = prepare::<B>(setup);
            let finished = panic_at(call, || act(&table, &detached)).is_some();
            check(&table, &format!("{name}, panic in call {call}"));
            if finished {
                break;
            }
        }
    }
}

/// The same while the table grows from nothing: what is moved on the way is not lost.
pub fn hash_and_eq_may_panic_while_growing<B: Backend>(setup: Setup) {
    const FLOWS: u64 = 60;
    for call in (0..).step_by(7) {
        let table = Fixture::<B>::new(setup, FLOWS as usize);
        let grow = || (0..FLOWS).for_each(|id| drop(table.put(id, at(0))));
        let finished = panic_at(call, grow).is_some();
        let there = table.len() as u64;
        let mut ids = 0..there;
        assert!(ids.all(|id| table.is_live(id, at(0))), "panic in call {call}: a flow was lost");
        (there..FLOWS).for_each(|id| drop(table.put(id, at(0))));
        assert_eq!(table.reap_all(at(60)).expired, FLOWS as usize);
        if finished {
            assert_eq!(there, FLOWS);
            break;
        }
    }
}

/// A callback that panics ends its operation, and nothing else.
pub fn callbacks_may_panic<B: Backend>(setup: Setup) {
    let operations: [(&str, Act<B>); 4] = [
        ("make", |table, _| drop(table.get_or_insert_with(&key(9), at(0), || inject()))),
        ("visit", |table, _| table.for_each(|_| inject())),
        ("keep", |table, _| {
            let mut calls = 0;
            table.retain(|_| {
                calls += 1;
                if calls == 3 { inject() } else { false }
            });
        }),
        ("keep at once", |table, _| assert_eq!(table.retain(|_| inject()), 0)),
    ];
    for (name, act) in operations {
        let (table, detached) = prepare::<B>(setup);
        assert!(survive(|| act(&table, &detached)).is_none(), "{name}: the panic did not come out");
        check(&table, name);
    }
}

/// When the callback of a reap panics, the flow given to it is gone, and the others wait for the next reap.
pub fn a_reap_survives_its_callback<B: Backend>(setup: Setup) {
    for local in [false, true] {
        let table = Fixture::<B>::new(setup, 10);
        for id in 0..10 {
            assert!(id % 2 == 0 || table.put(id, at(0)).cancel());
            assert!(id % 2 == 1 || table.put(id, at(0)).refresh(at(0)));
        }
        let mut handed_over = Vec::new();
        for _ in 0..10 {
            let callback = |ended: flow_table_api::Ended<TestRef<B>>| {
                handed_over.push(ended.flow.value().serial());
                if handed_over.len() % 3 != 0 {
                    inject();
                }
            };
            let _ = survive(|| {
                if local {
                    table.reap_local_with(at(60), Budget::UNLIMITED, callback)
                } else {
                    table.reap_with(at(60), Budget::UNLIMITED, callback)
                }
            });
        }
        handed_over.sort_unstable();
        assert!(handed_over.into_iter().eq(0..10), "each flow is handed over once");
        assert_eq!((table.len(), table.ledger().dropped()), (0, 10));
    }
}

/// A value that panics as it is dropped harms neither the table nor other values, whichever operation lets it go.
pub fn drop_may_panic<B: Backend>(setup: Setup) {
    let operations: [(&str, Act<B>); 7] = [
        ("remove", |table, _| drop(table.remove(&key(7)))),
        ("replacing insert", |table, _| drop(table.insert(table.flow(key(7)), at(0)))),
        ("reap of a cancelled flow", |table, _| {
            assert!(table.find(key(7), at(0)).expect("live").cancel());
            table.reap_all(at(0));
        }),
        ("reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("retain", |table, _| assert_eq!(table.retain(|flow| *flow.key() != key(7)), 1)),
        ("a handle's end", |table, _| {
            let last = table.find(key(7), at(0)).expect("live");
            assert_eq!(table.remove_flow(&last), Ok(true));
        }),
        ("expiry and a handle's end", |table, _| {
            let last = table.find(key(7), at(0)).expect("live");
            table.reap_all(at(60));
            drop(last);
        }),
    ];
    for (name, act) in operations {
        let (table, detached) = prepare::<B>(setup);
        let value = table.ledger().value().on_drop(|| inject());
        let serial = value.serial();
        drop(table.put_flow(NewFlow::new(key(7), value), at(0)));
        assert!(survive(|| act(&table, &detached)).is_none(), "{name}: the panic did not come out");
        assert!(table.ledger().is_dropped(serial), "{name}");
        check(&table, name);
    }
}

/// A value that panics as its table goes does not keep the others from being dropped.
pub fn drop_may_panic_with_the_table<B: Backend>(setup: Setup) {
    for bad in [0, 7, 19] {
        let table = Fixture::<B>::new(setup, 20);
        for id in 0..20 {
            let value = table.ledger().value();
            let value = if id == bad { value.on_drop(|| inject()) } else { value };
            let flow = table.put_flow(NewFlow::new(id.into(), value), at(0));
            assert!(id % 3 > 0 || flow.cancel());
        }
        let ledger = table.ledger().clone();
        assert!(survive(|| table.close()).is_none(), "the panic comes out");
        assert_eq!(ledger.faults(), [""; 0]);
    }
}
