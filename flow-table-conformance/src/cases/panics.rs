use flow_table_api::{Budget, Flow, NewFlow, Table};

use super::operations::{Act, check, every, key, prepare};
use crate::fixture::{Call, Fixture, Ledger, TestValue, at, inject, observe, panic_at, secs, survive};
use crate::{Backend, Setup, TestRef};

/// A panic in any single call of the user's code (`Hash`, `Eq`, `Drop`, `make`, a callback), in any operation,
/// leaves the table consistent.
pub fn any_call_may_panic<B: Backend>(setup: Setup) {
    for (name, act) in every::<B>() {
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
        ("make", |table, _| drop(table.get_or_insert_with(table.spec(key(9)), at(0), || inject()))),
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

/// If the callback of a reap panics, the flow given to it is gone, and the others wait for the next reap.
pub fn a_reap_survives_its_callback<B: Backend>(setup: Setup) {
    let all = Budget::UNLIMITED;
    for (local, later) in [(false, all), (true, all), (false, Budget::flows(1)), (true, Budget::flows(1))] {
        let table = Fixture::<B>::new(setup, 10);
        for id in 0..10 {
            assert!(id % 2 == 0 || table.put(id, at(0)).cancel());
            assert!(id % 2 == 1 || table.put(id, at(0)).refresh(at(0)));
        }
        let (mut handed_over, mut budget) = (Vec::new(), all);
        // A flow that is not handed over uses a budget of one, too.
        for _ in 0..40 {
            let before = handed_over.len();
            let callback = |ended: flow_table_api::Ended<TestRef<B>>| {
                handed_over.push(ended.flow.value().serial());
                if handed_over.len() % 3 != 0 {
                    inject();
                }
            };
            let _ = survive(|| {
                if local {
                    table.reap_local_with(at(60), budget, callback)
                } else {
                    table.reap_with(at(60), budget, callback)
                }
            });
            assert!(handed_over.len() - before <= budget.get());
            assert!(handed_over.len() == 10 || table.next_deadline() <= Some(at(60)), "there is work left");
            budget = later;
        }
        handed_over.sort_unstable();
        assert!(handed_over.into_iter().eq(0..10), "each flow is handed over once");
        assert_eq!((table.len(), table.ledger().dropped()), (0, 10));
    }
}

/// An insertion that makes room and is then interrupted by a panic in `Eq` loses none of the flows that gave up
/// their places for it, and none of the places.
pub fn an_interrupted_insertion_loses_no_ended_flow<B: Backend>(setup: Setup) {
    for call in 0.. {
        let table = Fixture::<B>::exactly(setup, 2);
        (0..2).for_each(|id| drop(table.put(key(id), at(0))));
        let insert = || table.insert(table.flow(key(9)), at(60)).expect("both are due").flow;
        let finished = panic_at(call, insert).is_some();
        let stats = table.stats();
        let there = usize::from(finished);
        assert!(stats.flows + stats.dying == 2 + there && stats.flows <= 2, "panic in call {call}: {stats:?}");
        let mut handed_over = Vec::new();
        table.reap_with(at(60), Budget::UNLIMITED, |ended| handed_over.push(ended.flow.value().serial()));
        handed_over.sort_unstable();
        assert_eq!((handed_over, table.len()), (vec![0, 1], there), "panic in call {call}");
        (0..2 - there as u64).for_each(|id| drop(table.put(key(100 + id), at(60))));
        if finished {
            break;
        }
    }
}

/// A value that panics in its drop harms neither the table nor other values, whichever operation drops it.
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

/// A value that panics when its table is dropped does not prevent the drop of others.
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

/// A value that panics when a reap drops it does not prevent or delay the drop of others.
pub fn a_reap_survives_a_drop<B: Backend>(setup: Setup) {
    for bad in [0, 7, 19] {
        let table = Fixture::<B>::exactly(setup, 20);
        for id in 0..20 {
            let value = table.ledger().value();
            let value = if id == bad { value.on_drop(|| inject()) } else { value };
            drop(table.put_flow(NewFlow::new(id.into(), value).timeout(secs(60)), at(0)));
        }
        assert!(survive(|| table.reap_all(at(60))).is_none(), "the panic comes out");
        // The next operation drops what was left, or at the latest the end of a burst.
        table.reap_all(at(60));
        drop(table.burst(at(60)));
        assert_eq!((table.len(), table.ledger().dropped()), (0, 20), "flow {bad} panicked");
        (0..20).for_each(|id| drop(table.put(id, at(60))));
        assert!((0..20).all(|id| table.is_live(id, at(60))), "flow {bad} panicked");
    }
}

/// A key that reports its drops.
#[derive(Clone, PartialEq, Eq, Hash)]
struct OwnedKey(u64);

impl Drop for OwnedKey {
    fn drop(&mut self) {
        observe(|| Call::Drop);
    }
}

type OwnedKeys<B> = <B as Backend>::Table<OwnedKey, TestValue>;

/// A panic in any single drop of a key, or of a copy that the backend made, leaves the table consistent and loses
/// no value.
pub fn any_drop_of_a_key_may_panic<B: Backend>(setup: Setup) {
    type Act<B> = fn(&OwnedKeys<B>, &dyn Fn(u64) -> NewFlow<OwnedKey, TestValue>);
    let operations: [(&str, Act<B>); 9] = [
        ("insert", |table, pair| drop(table.insert(pair(9), at(0)))),
        ("replacing insert", |table, pair| drop(table.insert(pair(1), at(0)))),
        ("refused insert", |table, pair| drop(table.insert_if_absent(pair(1), at(0)))),
        ("insert over what is due", |table, pair| drop(table.insert(pair(1), at(60)))),
        ("remove", |table, _| drop(table.remove(&OwnedKey(101)))),
        ("reinsert", |table, _| {
            let removed = table.remove(&OwnedKey(1)).expect("live");
            drop(table.reinsert(&removed, at(0)));
        }),
        ("cancel and reap", |table, _| {
            assert!(table.lookup(&OwnedKey(1), at(0)).is_some_and(|flow| flow.cancel()));
            table.reap(at(0), Budget::UNLIMITED);
        }),
        ("reap", |table, _| {
            table.reap(at(60), Budget::UNLIMITED);
        }),
        ("retain", |table, _| {
            table.retain(|flow| flow.key().0 == 2);
        }),
    ];
    for (name, act) in operations {
        for call in 0.. {
            let (table, ledger) = (OwnedKeys::<B>::with_config(setup.exactly(10)), Ledger::default());
            let pair = |id| NewFlow::new(OwnedKey(id), ledger.value()).reply(OwnedKey(100 + id));
            (0..5).for_each(|id| drop(table.insert(pair(id), at(0)).expect("there is room")));
            let finished = panic_at(call, || act(&table, &pair)).is_some();

            let after = format!("{name}, panic in drop {call}");
            table.reap(at(0), Budget::UNLIMITED);
            let active = table.snapshot();
            assert_eq!(table.len(), active.len(), "{after}: something else is held");
            for flow in &active {
                for key in [Some(flow.key()), flow.reply_key()].into_iter().flatten() {
                    assert_eq!(table.lookup(key, at(0)).as_ref(), Some(flow), "{after}: a key was lost");
                }
            }
            (active.len() as u64..10).for_each(|id| drop(table.insert(pair(500 + id), at(0)).expect("room")));
            drop(active);
            assert_eq!(table.reap(at(1_000), Budget::UNLIMITED).expired, 10, "{after}");
            drop(table);
            assert_eq!(ledger.faults(), [""; 0], "{after}");
            if finished {
                break;
            }
        }
    }
}
