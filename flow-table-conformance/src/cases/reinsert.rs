use flow_table_api::{Budget, Direction, Ended, Flow, FlowRef, OnExpiry, ReinsertError, Status, Table};

use crate::fixture::{Fixture, TIMEOUT, TestKey, at, inject, secs, survive};
use crate::{Backend, Setup, TestRef};

/// `reinsert` puts expired and detached flows back: the same flow, with a new deadline.
pub fn puts_ended_flows_back<B: Backend>(setup: Setup) {
    type End<B> = fn(&Fixture<B>, &TestRef<B>);
    let ends: [(&str, End<B>); 5] = [
        ("expired by a look-up", |table, _| drop(table.find(1, at(60)))),
        ("expired by a reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("removed", |table, _| drop(table.remove(&TestKey::from(2)))),
        ("removed by identity", |table, flow| assert_eq!(table.remove_flow(flow), Ok(true))),
        ("replaced", |table, _| {
            drop(table.insert(table.flow(1), at(1)));
            assert!(table.remove(&TestKey::from(1)).is_some());
        }),
    ];
    for (name, end) in ends {
        let table = Fixture::<B>::new(setup, 1);
        drop(table.put_pair(1, 2, at(0)));
        // By the other key: an insertion always returns a handle with the direction forward.
        let flow = table.find(2, at(0)).expect(name);
        end(&table, &flow);
        let back = table.reinsert(&flow, at(100)).expect(name);
        assert_eq!((&back, back.direction()), (&flow, Direction::Forward), "{name}");
        assert_eq!((flow.status(), flow.deadline()), (Status::Active, at(100) + TIMEOUT), "{name}");
        assert_eq!(table.find(1, at(159)), Some(flow.clone()), "{name}");
        assert_eq!(table.find(2, at(159)).map(|flow| flow.direction()), Some(Direction::Reply), "{name}");
        assert_eq!(table.reap_all(at(159)).expired, 0, "{name}: it is not handed over for its old end");
        assert_eq!(table.len(), 1, "{name}");
        drop((flow, back));
        assert_eq!(table.reap_all(at(160)).expired, 1, "{name}: the table holds it again");
        assert_eq!(table.ledger().dropped(), table.ledger().made(), "{name}");
    }
}

/// A flow is not put back if a live flow has taken its key in the meantime, or if it is active.
pub fn displaces_nothing_live<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let flow = table.put_pair(1, 2, at(0));
    assert_eq!(table.reinsert(&flow, at(1)), Err(ReinsertError::Active));
    assert_eq!(flow.deadline(), at(60), "a refused insertion changes nothing");
    assert_eq!(table.remove_flow(&flow), Ok(true));
    for (key, matched) in [(1, Direction::Forward), (2, Direction::Reply)] {
        let other = table.put_pair(9, key, at(1));
        match table.reinsert(&flow, at(1)) {
            Err(ReinsertError::Conflict { holder, key }) => assert_eq!((&holder, key), (&other, matched)),
            result => panic!("{result:?}"),
        }
        assert_eq!((flow.status(), other.status()), (Status::Detached, Status::Active));
        assert_eq!(table.status_of(3 - key, at(1)), None, "neither key is installed");
        assert_eq!(table.remove_flow(&other), Ok(true));
    }
    drop(table.put_flow(table.flow(1).timeout(secs(1)), at(1)));
    assert!(table.reinsert(&flow, at(2)).is_ok(), "what is not live blocks nothing");
}

/// The callback for another flow may put a flow back that the reap has claimed but not handed over, and then
/// panic. From then on the flow is found by both keys, whatever happens to the rest of the reap.
pub fn outlasts_the_reap_that_let_go<B: Backend>(setup: Setup) {
    for on_expiry in [OnExpiry::Remove, OnExpiry::KeepWhileReferenced] {
        let table = Fixture::<B>::new(setup, 2);
        let put = |key: u64| table.put_flow(table.pair(key, key + 1).on_expiry(on_expiry), at(0));
        let flows = [put(1), put(3)];
        let mut back = None;
        let callback = |ended: Ended<TestRef<B>>| {
            let other = flows.iter().find(|flow| **flow != ended.flow).expect("there are two");
            drop(table.lookup(other.key(), at(60)));
            back = Some(table.reinsert(other, at(60)).expect("it has expired"));
            inject();
        };
        assert_eq!(survive(|| table.reap_with(at(60), Budget::UNLIMITED, callback)), None);
        let back = back.expect("one of them is due");
        let keys = [Some(back.key()), back.reply_key()];
        let found = || keys.map(|key| table.lookup(key.expect("a pair"), at(61)));
        assert_eq!(found(), [Some(back.clone()), Some(back.clone())], "{on_expiry:?}");
        table.reap_all(at(61));
        assert_eq!(found(), [Some(back.clone()), Some(back.clone())], "{on_expiry:?}, after the next reap");
    }
}
