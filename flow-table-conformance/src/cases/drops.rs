//! Values whose `Drop` panics, or uses the table, many of them at once.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use flow_table_api::{Budget, Burst, Flow, NewFlow, Table};

use crate::fixture::{Fixture, TestKey, TestValue, at, beside_call, inject, survive};
use crate::sync::Arc;
use crate::{Backend, Setup, TestRef};

type Flows = NewFlow<TestKey, TestValue>;

/// A table with this many flows, with one key or two, due at 60 s. Each panics when it is dropped.
fn fragile<B: Backend>(setup: Setup, flows: u64, pairs: bool) -> Fixture<B> {
    let table = Fixture::<B>::exactly(setup, flows as usize);
    for key in 0..flows {
        let flow: Flows = NewFlow::new(key.into(), table.ledger().value().on_drop(|| inject()));
        drop(table.put_flow(if pairs { flow.reply((1_000 + key).into()) } else { flow }, at(0)));
    }
    table
}

/// Runs `body` on tables made by [`fragile`].
fn with_fragile<B: Backend>(setup: Setup, body: impl Fn(Fixture<B>, u64)) {
    for (flows, pairs) in [(64, false), (64, true), (200, false), (200, true)] {
        body(fragile(setup, flows, pairs), flows);
    }
}

/// Repeats `op` until it does not panic. Each value may panic once.
fn persist(values: u64, op: impl Fn()) {
    assert!((0..=values).any(|_| survive(&op).is_some()), "more panics than values");
}

/// Reaps until nothing is left to panic.
fn reap_to_rest<B: Backend>(table: &Fixture<B>, values: u64) {
    persist(values, || assert!(!table.reap_all(at(60)).more));
    let stats = table.stats();
    assert_eq!((stats.dying, stats.waiting), (0, 0), "{stats:?}");
}

type End<B> = fn(&Fixture<B>, u64);

/// Ways to end many flows. Each may panic, and leave the rest to the next call.
fn ends<B: Backend>() -> [(&'static str, End<B>); 7] {
    fn each(flows: u64, end: impl Fn(u64)) {
        (0..flows).for_each(|key| persist(1, || end(key)));
    }
    [
        ("reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("reap_with", |table, _| {
            table.reap_with(at(60), Budget::UNLIMITED, drop);
        }),
        ("reap_local in small steps", |table, _| while table.reap_local(at(60), Budget::flows(7)).more {}),
        ("cancel and reap", |table, _| {
            table.for_each(|flow| {
                flow.cancel();
            });
            table.reap_all(at(0));
        }),
        ("retain", |table, _| {
            table.retain(|_| false);
        }),
        ("remove", |table, flows| each(flows, |key| drop(table.remove(&TestKey::from(key))))),
        ("replacement", |table, flows| each(flows, |key| drop(table.insert(table.flow(key), at(0))))),
    ]
}

/// Many flows end, and each panics when it is dropped. All are dropped.
pub fn a_batch_goes_though_each_panics<B: Backend>(setup: Setup) {
    for (name, end) in ends::<B>() {
        with_fragile::<B>(setup, |table, flows| {
            persist(flows, || end(&table, flows));
            reap_to_rest(&table, flows);
            let left = (0..flows as usize).filter(|&serial| !table.ledger().is_dropped(serial)).count();
            assert_eq!(left, 0, "{name} left values undropped, of {flows}");
        });
    }
}

/// The same if the end of a burst drops them, whether or not the burst has borrowed them.
pub fn a_burst_lets_go_though_each_panics<B: Backend>(setup: Setup) {
    for (name, end) in ends::<B>() {
        for borrows in [false, true] {
            with_fragile::<B>(setup, |table, flows| {
                let burst = table.burst(at(0));
                if borrows {
                    assert!((0..flows).all(|key| burst.get(&TestKey::from(key)).is_some()));
                }
                persist(flows, || end(&table, flows));
                let _ = survive(|| drop(burst));
                reap_to_rest(&table, flows);
                let left = (0..flows as usize).filter(|&serial| !table.ledger().is_dropped(serial)).count();
                assert_eq!(left, 0, "{name} under a burst left values undropped, of {flows}");
            });
        }
    }
}

/// The drop of a table drops all its flows although each panics, and one panic comes out.
pub fn the_table_goes_though_each_panics<B: Backend>(setup: Setup) {
    with_fragile::<B>(setup, |table, flows| {
        for key in (0..flows).step_by(3) {
            assert!(table.find(key, at(0)).is_some_and(|flow| flow.cancel()));
        }
        let ledger = table.ledger().clone();
        assert!(survive(|| table.close()).is_none(), "a panic comes out");
        assert_eq!(ledger.faults(), [""; 0]);
    });
}

/// The same for flows that have made room for new ones: the reap that hands them over drops them, or the table.
pub fn what_made_room_goes_though_each_panics<B: Backend>(setup: Setup) {
    for with_the_table in [false, true] {
        with_fragile::<B>(setup, |table, flows| {
            for key in 0..flows {
                let inserted = table.insert(table.flow(5_000 + key), at(60)).expect("one is due");
                assert_eq!(inserted.replaced, None);
            }
            assert_eq!((table.stats().dying as u64, table.ledger().dropped()), (flows, 0));
            let ledger = table.ledger().clone();
            if with_the_table {
                assert!(survive(|| table.close()).is_none(), "a panic comes out");
                assert_eq!(ledger.faults(), [""; 0]);
            } else {
                reap_to_rest(&table, flows);
                assert_eq!(ledger.dropped() as u64, flows);
            }
        });
    }
}

/// While another thread releases a flow, an operation that looks at the flow may end up with the last reference.
/// Then the value's panic comes out of the operation, but nothing that the operation has made is lost.
pub fn nothing_leaks_where_an_operation_lets_go_last<B: Backend>(setup: Setup) {
    for (name, act) in meetings::<B>() {
        for call in 0.. {
            let table = Fixture::<B>::exactly(setup, 3);
            let new = |key: u64, reply: u64| {
                // Does not panic if the thread is already unwinding.
                let value = table.ledger().value().on_drop(|| {
                    if !thread::panicking() {
                        inject()
                    }
                });
                NewFlow::new(TestKey::new(key), value).reply(reply.into())
            };
            let detached = table.put_flow(new(1, 102), at(0));
            assert_eq!(table.remove_flow(&detached), Ok(true));
            let dying = [(1, 101), (2, 102)].map(|(key, reply)| table.put_flow(new(key, reply), at(0)));
            assert_eq!(table.reap_all(at(60)).expired, 2, "still found, as they are held");
            drop(table.put_pair(3, 103, at(60)));
            let let_go = || {
                for flow in dying {
                    let _ = survive(|| drop(flow));
                }
            };
            let finished = beside_call(call, let_go, || act(&table, &detached, &new));
            let _ = survive(|| drop(detached));
            reap_to_rest(&table, 3);
            persist(3, || assert!(table.retain(|_| false) < 3));
            assert_eq!(table.ledger().faults(), [""; 0], "{name}, let go in call {call} of `Eq`");
            if finished {
                break;
            }
        }
    }
}

type Meet<B> = fn(&Fixture<B>, &TestRef<B>, &dyn Fn(u64, u64) -> Flows);

/// Operations that find flows under the keys 1 and 2, 101 and 102.
fn meetings<B: Backend>() -> [(&'static str, Meet<B>); 9] {
    [
        ("lookup", |table, _, _| drop(table.find(1, at(60)))),
        ("lookup_batch", |table, _, _| table.lookup_batch(&[1, 102].map(TestKey::new), at(60), &mut Vec::new())),
        ("burst", |table, _, _| {
            assert!(table.burst(at(60)).get(&TestKey::from(102)).is_none_or(|flow| *flow.key() == 2.into()))
        }),
        ("insert", |table, _, new| drop(table.insert(new(1, 102), at(60)))),
        ("insert in conflict", |table, _, new| drop(table.insert(new(1, 103), at(60)))),
        ("insert_if_absent", |table, _, new| drop(table.insert_if_absent(new(2, 101), at(60)))),
        ("get_or_insert_with", |table, _, new| {
            let made = new(1, 101).into_parts();
            drop(table.get_or_insert_with(table.spec(1).reply(101.into()), at(60), || made.value));
        }),
        ("reinsert", |table, detached, _| drop(table.reinsert(detached, at(60)))),
        ("remove", |table, _, _| drop((table.remove(&TestKey::from(1)), table.remove(&TestKey::from(102))))),
    ]
}

/// Values whose `Drop` opens a burst and looks a key up are dropped one after the other, and not nested, however
/// many flows the end of a burst releases.
pub fn do_not_nest<B: Backend>(setup: Setup) {
    const FLOWS: u64 = if cfg!(miri) { 500 } else { 5_000 };
    /// Drops that are nested this deeply do not end.
    const DEEP: usize = 50;
    /// The stack is not large enough for a frame for each flow.
    const STACK: usize = 1 << 18;
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    for borrows in [false, true] {
        let table = Fixture::<B>::new(setup, FLOWS as usize);
        let deepest = Arc::new(AtomicUsize::new(0));
        for key in 0..FLOWS {
            let (weak, deepest) = (Arc::downgrade(table.shared()), Arc::clone(&deepest));
            let value = table.ledger().value().on_drop(move || {
                let Some(table) = weak.upgrade() else { return };
                let within = DEPTH.get();
                deepest.fetch_max(within, Ordering::Relaxed);
                if within < DEEP {
                    DEPTH.set(within + 1);
                    assert!(table.burst(at(60)).get(&TestKey::from(FLOWS)).is_none());
                    DEPTH.set(within);
                }
            });
            drop(table.put_flow(NewFlow::new(key.into(), value), at(0)));
        }
        let body = || {
            let burst = table.burst(at(0));
            if borrows {
                assert!((0..FLOWS).all(|key| burst.get(&TestKey::from(key)).is_some()));
            }
            assert_eq!(table.reap_all(at(60)).expired, FLOWS as usize);
            drop(burst);
        };
        thread::scope(|scope| {
            let small = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, body);
            let ended = small.expect("a thread can be started").join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        let deepest = deepest.load(Ordering::Relaxed);
        assert!(deepest < 3, "values are dropped {deepest} deep");
        assert_eq!(table.ledger().dropped(), FLOWS as usize);
    }
}
