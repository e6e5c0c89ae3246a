use flow_table_api::{Budget, Flow, NewFlow, Status, Table};

use crate::fixture::{Fixture, TIMEOUT, TestKey, TestValue, at};
use crate::sync::{Arc, Weak};
use crate::{Backend, Setup, TestTable};

pub type End<B> = fn(&Fixture<B>);

/// Ways for the flow under key 1, inserted at 0 s, to go from the table at once.
pub fn ends<B: Backend>() -> [(&'static str, End<B>); 7] {
    [
        ("remove", |table| drop(table.remove(&TestKey::from(1)))),
        ("remove_flow", |table| {
            let flow = table.find(1, at(0)).expect("live");
            assert_eq!(table.remove_flow(&flow), Ok(true));
        }),
        ("replacement", |table| drop(table.insert(table.flow(1), at(0)))),
        ("retain", |table| assert_ne!(table.retain(|_| false), 0)),
        ("cancel and reap", |table| {
            assert!(table.find(1, at(0)).expect("live").cancel());
            table.reap_all(at(0));
        }),
        ("reap", |table| {
            table.reap_all(at(60));
        }),
        ("look-up when due and reap", |table| {
            drop(table.find(1, at(60)));
            table.reap_all(at(60));
        }),
    ]
}

/// A value is dropped exactly once: as soon as the table and every handle have released it, and not before.
pub fn dropped_once_when_all_let_go<B: Backend>(setup: Setup) {
    for (name, end) in ends::<B>() {
        for handles in 0..3 {
            let table = Fixture::<B>::new(setup, 1);
            let flow = table.put(1, at(0));
            let mut held: Vec<_> = (0..handles).map(|_| flow.clone()).collect();
            drop(flow);
            assert!(!table.ledger().is_dropped(0), "{name}: the table holds it");
            end(&table);
            while let Some(handle) = held.pop() {
                assert_eq!(handle.value().serial(), 0);
                assert!(!table.ledger().is_dropped(0), "{name}: a handle holds it");
            }
            assert!(table.ledger().is_dropped(0), "{name}: nobody holds it, with {handles} handles before");
        }
    }
}

/// A refused insertion returns the value and does not drop it.
pub fn a_refused_value_comes_back<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 1);
    drop(table.put(1, at(0)));
    let refused = table.insert(table.flow(2), at(0)).map(drop).expect_err("full").into_flow();
    assert_eq!((refused.value().serial(), table.ledger().dropped()), (1, 0));
    let parts = refused.into_parts();
    assert_eq!((parts.key, parts.timeout), (2.into(), TIMEOUT.into()));
}

/// The drop of the table drops the flows that nobody else holds, also those that wait for a reap.
pub fn the_table_drops_what_it_holds<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 30);
    for key in 0..30 {
        let flow = table.put_pair(key, 1_000 + key, at(0));
        match key % 3 {
            0 => assert!(flow.cancel()),
            1 => drop(table.find(key, at(60))),
            _ => {}
        }
    }
    let ledger = table.close();
    assert_eq!((ledger.dropped(), ledger.faults().len()), (30, 0));
}

/// A value's `Drop` may use the table, also with the same key. No lock is held then.
pub fn drop_may_call_the_table<B: Backend>(setup: Setup) {
    for (name, end) in ends::<B>() {
        let table = Fixture::<B>::new(setup, 6);
        let (calls, weak) = (Arc::new(()), Arc::downgrade(table.shared()));
        let ledger = table.ledger().clone();
        let token = Arc::clone(&calls);
        let value = table.ledger().value().on_drop(move || {
            use_table::<B>(&weak, || ledger.value());
            drop(token);
        });
        drop(table.put_flow(NewFlow::new(1.into(), value), at(0)));
        drop(table.put(3, at(0)));
        end(&table);
        assert_eq!(Arc::strong_count(&calls), 1, "{name}: `Drop` ran to its end");
    }
}

/// What a value's `Drop` does with the table.
fn use_table<B: Backend>(table: &Weak<TestTable<B>>, value: impl Fn() -> TestValue) {
    let Some(table) = table.upgrade() else { return };
    let new = |key: u64| NewFlow::new(key.into(), value()).reply((key + 100).into()).timeout(TIMEOUT);
    drop(table.lookup(&TestKey::from(1), at(0)));
    drop(table.insert(new(1), at(0)).expect("there is room"));
    drop(table.insert_if_absent(new(2), at(0)).expect("there is room"));
    drop(table.remove(&TestKey::from(1)));
    let _ = table.lookup(&TestKey::from(3), at(0)).map(|flow| flow.cancel());
    drop(table.burst(at(0)));
    drop((table.snapshot(), table.stats(), table.next_deadline(), table.len()));
    table.reap(at(60), Budget::UNLIMITED);
}

/// The `Drop` of a value may use the handles that are left, also while its table is dropped, or later.
pub fn drop_may_use_handles_after_the_table<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let other = table.put(2, at(0));
    let kept = other.clone();
    let value = table.ledger().value().on_drop(move || {
        drop((other.status(), other.cancel(), other.clone(), other.refresh(at(0))));
    });
    let flow = table.put_flow(NewFlow::new(1.into(), value), at(0));
    let ledger = table.close();
    assert_eq!((ledger.dropped(), flow.status()), (0, Status::Detached));
    drop(flow);
    assert_eq!(ledger.dropped(), 1);
    drop(kept);
    assert_eq!(ledger.dropped(), 2);
}

/// Keys and values of any shape: none, unaligned ends, large alignment, owned memory.
pub fn keys_and_values_of_any_shape<B: Backend>(setup: Setup) {
    #[repr(align(128))]
    struct Aligned([u8; 3]);

    let table = B::Table::<u8, ()>::with_config(setup.config(256));
    for key in 0..=u8::MAX {
        drop(table.insert(NewFlow::new(key, ()), at(0)).expect("there is room"));
    }
    assert!((0..=u8::MAX).all(|key| table.lookup(&key, at(0)).is_some()));
    assert_eq!(table.reap(at(60), Budget::UNLIMITED).expired, 256);

    let table = B::Table::<[u8; 41], Aligned>::with_config(setup.config(100));
    for id in 0..100 {
        drop(table.insert(NewFlow::new([id; 41], Aligned([id; 3])), at(0)).expect("there is room"));
    }
    for id in 0..100 {
        let flow = table.lookup(&[id; 41], at(0)).expect("live");
        assert_eq!(std::ptr::from_ref(flow.value()).addr() % 128, 0);
        assert_eq!((*flow.key(), flow.value().0), ([id; 41], [id; 3]));
    }

    let keys: Vec<Arc<str>> = (0..100).map(|id| id.to_string().into()).collect();
    let table = B::Table::<Arc<str>, Box<u64>>::with_config(setup.config(50));
    for (id, pair) in (0..).zip(keys.chunks(2)) {
        let flow = NewFlow::new(Arc::clone(&pair[0]), Box::new(id)).reply(Arc::clone(&pair[1]));
        drop(table.insert(flow, at(0)).expect("there is room"));
    }
    assert_eq!(table.lookup("77", at(0)).map(|flow| **flow.value()), Some(38));
    drop(table.remove(&keys[0]));
    assert_eq!(Arc::strong_count(&keys[1]), 1, "both keys are dropped with the flow");
    assert_eq!(table.reap(at(60), Budget::UNLIMITED).expired, 49);
    assert!(keys.iter().all(|key| Arc::strong_count(key) == 1), "keys are dropped with their flows");
}

/// The key type of the interface works like any other.
pub fn the_ready_flow_key_works<B: Backend>(setup: Setup) {
    use flow_table_api::FlowKey;

    let table = B::Table::<FlowKey, u32>::with_config(setup.config(3));
    let texts =
        ["udp 10.0.0.1:5353 > 10.0.0.2:53 @7", "udp 10.0.0.1:5353 > 10.0.0.2:53 @8", "tcp [::1]:1 > [::2]:2"];
    let keys: Vec<FlowKey> = texts.iter().map(|text| text.parse().expect("a valid key")).collect();
    for (id, key) in (0..).zip(&keys) {
        drop(table.insert(NewFlow::new(*key, id).reply(key.reversed()), at(0)).expect("there is room"));
    }
    for (id, key) in (0..).zip(&keys) {
        assert_eq!(table.lookup(key, at(0)).map(|flow| *flow.value()), Some(id));
        assert_eq!(table.lookup(&key.reversed(), at(0)).map(|flow| *flow.value()), Some(id));
    }
    // Half of a pair cannot be left behind by removing the other.
    drop(table.remove(&keys[2].reversed()));
    assert!(table.lookup(&keys[2], at(0)).is_none());
}
