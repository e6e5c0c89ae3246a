//! Flows that are made before they are put into the table.

use std::sync::{Mutex, OnceLock};

use flow_table_api::{
    Budget, Direction, EndReason, Flow, FlowRef, InsertError, NewFlow, ReinsertError, Status, Table, TableConfig,
    WeakFlowRef,
};

use crate::fixture::{Fixture, Ledger, TestKey, at};
use crate::sync::Arc;
use crate::{Backend, Setup, TestTable};

/// A prepared flow is detached: nobody finds it, it takes no place, and no reap meets it. It becomes a flow like
/// any other when it is put in, under the rules for putting flows back.
pub fn a_prepared_flow_is_nowhere_until_it_is_put_in<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 1);
    let flow = table.prepare(table.pair(1, 2)).expect("there is memory");
    let other = table.prepare(table.flow(1)).expect("the same key does no harm");
    assert_eq!(
        (flow.status(), flow.direction(), flow.reply_key()),
        (Status::Detached, Direction::Forward, Some(&2.into()))
    );
    assert!(!flow.refresh(at(0)) && !flow.cancel() && flow.set_deadline(at(9)).is_err());
    assert!(table.find(1, at(0)).is_none() && table.find(2, at(0)).is_none());
    assert_eq!((table.len(), table.stats().inserts, table.next_deadline()), (0, 0, None));
    assert_eq!(table.reap_all(at(1_000)).visited(), 0);
    table.for_each(|_| panic!("it is not in the table"));
    let put_in = table.reinsert(&flow, at(5)).expect("there is room");
    assert!(put_in == flow && flow.is_live(at(64)) && !flow.is_live(at(65)));
    assert_eq!(table.find(2, at(5)).map(|found| found.direction()), Some(Direction::Reply));
    assert!(matches!(table.reinsert(&flow, at(5)), Err(ReinsertError::Active)));
    assert!(matches!(table.reinsert(&other, at(5)), Err(ReinsertError::Conflict { .. })));
    assert_eq!(table.remove_flow(&flow), Ok(true));
    drop(table.put(3, at(5)));
    assert!(matches!(table.reinsert(&other, at(5)), Err(ReinsertError::Full { capacity: 1 })));
    assert!(table.find(1, at(5)).is_none());
    let refused = table.prepare(table.pair(7, 7)).expect_err("equal keys");
    assert!(matches!(&refused, InsertError::IdenticalKeys { flow } if *flow.key() == 7.into()));
    let foreign = Fixture::<B>::new(setup, 1);
    assert!(matches!(foreign.reinsert(&other, at(5)), Err(ReinsertError::Foreign(_))));
    drop((refused, other));
    assert_eq!(table.ledger().dropped(), 2, "the refused one, and the one that was never put in");
}

/// Two flows know each other weakly before either is found. They can also outlive their table.
pub fn flows_are_linked_before_they_are_found<B: Backend>(setup: Setup) {
    type Link<W> = OnceLock<W>;
    struct Half(Box<dyn Fn() -> Option<u32> + Send + Sync>);
    let table = B::Table::<u32, Link<Half>>::with_config(setup.config(2));
    let [one, other] =
        [1, 2].map(|key| table.prepare(NewFlow::new(key, OnceLock::new())).expect("there is memory"));
    for (own, peer) in [(&one, &other), (&other, &one)] {
        let peer = peer.downgrade();
        let key = move || peer.upgrade().map(|flow| *flow.key());
        assert!(own.value().set(Half(Box::new(key))).is_ok());
    }
    for flow in [&one, &other] {
        drop(table.reinsert(flow, at(0)).expect("there is room"));
    }
    let found = table.lookup(&1, at(0)).expect("put in");
    let peer_of = |half: &Link<Half>| half.get().and_then(|half| half.0());
    assert_eq!(peer_of(found.value()), Some(2));
    assert!(one.downgrade() == found.downgrade() && one.downgrade() != other.downgrade());
    drop((other, table.remove(&2)));
    assert_eq!(peer_of(found.value()), None, "weakly");
    let last = table.prepare(NewFlow::new(3, OnceLock::new())).expect("there is memory");
    drop(table);
    assert_eq!((last.status(), *last.key()), (Status::Detached, 3));
}

/// A prepared flow leaves a final record if it has been in the table.
pub fn only_what_was_in_the_table_is_recorded<B: Backend>(setup: Setup) {
    let made = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&made);
    let table = TestTable::<B>::with_records(TableConfig::clone(&setup.config(2)), move |record| {
        keep.lock().expect("no panic").push((record.value.serial(), record.reason));
    });
    let ledger = Ledger::default();
    let prepare = |key| table.prepare(NewFlow::new(TestKey::new(key), ledger.value())).expect("there is memory");
    drop(prepare(1));
    let flow = prepare(2);
    drop(table.reinsert(&flow, at(0)).expect("there is room"));
    drop(flow);
    table.reap(at(60), Budget::UNLIMITED);
    let flow = prepare(3);
    drop(table);
    drop(flow);
    assert_eq!(*made.lock().expect("no panic"), [(1, EndReason::Expired)]);
    assert!(ledger.faults().is_empty(), "{:?}", ledger.faults());
}
