//! Every operation, on a table where it finds something to do, for cases that interrupt operations.

use flow_table_api::{Budget, Burst, Flow, Table};

use crate::fixture::{Call, Fixture, TestKey, at, observe, secs};
use crate::{Backend, Setup, TestRef};

/// Of the tables here.
const CAPACITY: usize = 12;

/// The `id`-th of keys that all collide, so that `Eq` is called often.
pub fn key(id: u64) -> TestKey {
    TestKey::colliding(id)
}

/// A table with the pairs (0, 100) to (4, 104), the last one cancelled, and a detached flow (50, 150).
pub fn prepare<B: Backend>(setup: Setup) -> (Fixture<B>, TestRef<B>) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    for id in 0..5 {
        drop(table.put_pair(key(id), key(100 + id), at(0)));
    }
    assert!(table.find(key(4), at(0)).expect("live").cancel());
    let detached = table.put_pair(key(50), key(150), at(0));
    assert_eq!(table.remove_flow(&detached), Ok(true));
    (table, detached)
}

/// Checks that, whatever was interrupted, no half of a pair is left, no place is lost, everything works, and all
/// flows can be reaped.
pub fn check<B: Backend>(table: &Fixture<B>, after: &str) {
    table.set_capacity(CAPACITY);
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
    assert_eq!((table.len(), table.stats().dying), (0, 0), "{after}");
}

/// An operation on a table as [`prepare`] makes it, with its detached flow. Callbacks are observed.
pub type Act<B> = fn(&Fixture<B>, &TestRef<B>);

/// Every operation, by name.
pub fn every<B: Backend>() -> Vec<(&'static str, Act<B>)> {
    let (mut all, endings) = (insertions::<B>(), endings::<B>());
    all.extend(lookups::<B>());
    all.extend(endings);
    all
}

fn called() {
    observe(|| Call::Callback);
}

fn lookups<B: Backend>() -> [(&'static str, Act<B>); 8] {
    [
        ("lookup", |table, _| drop(table.find(key(103), at(0)))),
        ("lookup of nothing", |table, _| drop(table.find(key(9), at(0)))),
        ("lookup when due", |table, _| drop(table.find(key(1), at(60)))),
        ("lookup_batch", |table, _| table.lookup_batch(&[key(0), key(9), key(101)], at(0), &mut Vec::new())),
        ("lookup_batch when due", |table, _| table.lookup_batch(&[key(0), key(101)], at(60), &mut Vec::new())),
        ("burst", |table, _| assert!(table.burst(at(0)).get(&key(2)).is_some())),
        ("burst with a batch", |table, _| {
            let (burst, mut found) = (table.burst(at(0)), Vec::new());
            burst.get_batch(&[key(3), key(9), key(102)], &mut found);
            assert!(found[0].is_some_and(|flow| burst.handle(flow).is_some()));
        }),
        ("burst over an end", |table, _| {
            let burst = table.burst(at(0));
            assert!(burst.get(&key(2)).is_some());
            drop(table.remove(&key(2)));
        }),
    ]
}

fn insertions<B: Backend>() -> Vec<(&'static str, Act<B>)> {
    vec![
        ("insert", |table, _| drop(table.insert(table.pair(key(9), key(109)), at(0)))),
        ("replacing insert", |table, _| drop(table.insert(table.pair(key(1), key(109)), at(0)))),
        ("replacing insert across", |table, _| drop(table.insert(table.pair(key(101), key(1)), at(0)))),
        ("insert in conflict", |table, _| drop(table.insert(table.pair(key(1), key(102)), at(0)))),
        ("insert over what is due", |table, _| drop(table.insert(table.pair(key(1), key(102)), at(60)))),
        ("insert that makes room", |table, _| {
            table.set_capacity(5);
            drop(table.insert(table.pair(key(9), key(102)), at(60)));
        }),
        ("insert into a full table", |table, _| {
            table.reap_all(at(0));
            table.set_capacity(4);
            drop(table.insert(table.flow(key(9)), at(0)));
        }),
        ("insert_if_absent", |table, _| drop(table.insert_if_absent(table.pair(key(9), key(2)), at(0)))),
        ("get_or_insert_with", |table, _| {
            drop(table.get_or_insert_with(table.spec(key(9)).reply(key(109)), at(0), || {
                called();
                table.value()
            }));
        }),
        ("reinsert", |table, detached| drop(table.reinsert(detached, at(0)))),
        ("reinsert that makes room", |table, detached| {
            table.set_capacity(5);
            drop(table.reinsert(detached, at(60)));
        }),
    ]
}

fn endings<B: Backend>() -> Vec<(&'static str, Act<B>)> {
    vec![
        ("remove", |table, _| drop(table.remove(&key(102)))),
        ("remove_flow", |table, _| {
            assert!(table.snapshot().iter().all(|flow| table.remove_flow(flow) == Ok(true)))
        }),
        ("cancel", |table, _| assert!(table.snapshot().iter().all(|flow| flow.cancel()))),
        ("reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("reap in small steps", |table, _| while table.reap(at(60), Budget::flows(1)).more {}),
        ("reap_with", |table, _| {
            table.reap_with(at(60), Budget::UNLIMITED, |_| called());
        }),
        ("reap_local_with", |table, _| {
            table.reap_local_with(at(60), Budget::UNLIMITED, |_| called());
        }),
        ("for_each", |table, _| table.for_each(|_| called())),
        ("retain", |table, _| {
            let keep = |flow: &TestRef<B>| {
                called();
                *flow.key() == key(1)
            };
            assert_eq!(table.retain(keep), 3);
        }),
        ("set_deadline and shrink", |table, _| {
            assert!(table.snapshot().iter().all(|flow| flow.set_deadline(at(1)).is_ok()));
            table.shrink_to_fit();
        }),
        ("set_timeout and reap", |table, _| {
            assert!(table.snapshot().iter().all(|flow| flow.set_timeout(secs(1), at(0)).is_ok()));
            table.reap_all(at(1));
        }),
    ]
}
