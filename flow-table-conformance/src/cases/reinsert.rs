use flow_table_api::{Direction, Flow, FlowRef, ReinsertError, Status, Table};

use crate::fixture::{Fixture, TIMEOUT, at, secs};
use crate::{Backend, Setup, TestRef};

/// `reinsert` puts expired and detached flows back, the same flow with a fresh deadline.
pub fn puts_ended_flows_back<B: Backend>(setup: Setup) {
    type End<B> = fn(&Fixture<B>, &TestRef<B>);
    let ends: [(&str, End<B>); 5] = [
        ("expired by a look-up", |table, _| drop(table.find(1, at(60)))),
        ("expired by a reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("removed", |table, _| drop(table.remove(&2.into()))),
        ("removed by identity", |table, flow| assert_eq!(table.remove_flow(flow), Ok(true))),
        ("replaced", |table, _| {
            drop(table.insert(table.flow(1), at(1)));
            assert!(table.remove(&1.into()).is_some());
        }),
    ];
    for (name, end) in ends {
        let table = Fixture::<B>::new(setup, 1);
        drop(table.put_pair(1, 2, at(0)));
        // By the other key: an insertion gives a handle with no direction but forward.
        let flow = table.find(2, at(0)).expect(name);
        end(&table, &flow);
        let back = table.reinsert(&flow, at(100)).expect(name);
        assert_eq!((&back.flow, back.flow.direction()), (&flow, Direction::Forward), "{name}");
        assert!(back.replaced.is_none() && back.made_room.is_empty(), "{name}");
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

/// A flow whose key a live one has meanwhile is not put back, and neither is one that is active.
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
