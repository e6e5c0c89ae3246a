use flow_table_api::{Direction, Flow, FlowRef, NewFlow, NotLive, ReinsertError, Status, Table};

use crate::fixture::{Fixture, TIMEOUT, TestKey, at, race, rounds, secs};
use crate::{Backend, Setup, TestRef};

/// Makes a flow under key 1 that is in `status` at 100 s.
fn flow_in<B: Backend>(table: &Fixture<B>, status: Status) -> TestRef<B> {
    let flow = table.put(1, at(50));
    match status {
        Status::Active => {}
        Status::Detached => assert_eq!(table.remove_flow(&flow), Ok(true)),
        Status::Cancelled => assert!(flow.cancel()),
        Status::Expired => {
            flow.set_deadline(at(60)).expect("active");
            assert_eq!(table.reap_all(at(60)).expired, 1);
        }
    }
    assert_eq!(flow.status(), status);
    flow
}

/// From each status, each operation leads where the contract says, or nowhere.
pub fn only_the_documented_edges_exist<B: Backend>(setup: Setup) {
    type Attempt<B> = fn(&Fixture<B>, &TestRef<B>);
    let attempts: [(&str, Attempt<B>, Status); 7] = [
        (
            "reap when due",
            |table, _| {
                table.reap_all(at(500));
            },
            Status::Expired,
        ),
        ("look-up when due", |table, _| drop(table.find(1, at(500))), Status::Expired),
        (
            "cancel",
            |_, flow| {
                flow.cancel();
            },
            Status::Cancelled,
        ),
        ("remove", |table, _| drop(table.remove(&TestKey::from(1))), Status::Detached),
        ("remove_flow", |table, flow| assert!(table.remove_flow(flow).is_ok()), Status::Detached),
        ("replacing insert", |table, _| drop(table.insert(table.flow(1), at(100))), Status::Detached),
        ("reinsert", |table, flow| drop(table.reinsert(flow, at(100))), Status::Active),
    ];
    for from in [Status::Detached, Status::Active, Status::Expired, Status::Cancelled] {
        for (name, attempt, to) in attempts {
            let table = Fixture::<B>::new(setup, 2);
            let flow = flow_in(&table, from);
            attempt(&table, &flow);
            let allowed = match to {
                Status::Active => matches!(from, Status::Detached | Status::Expired),
                _ => from == Status::Active,
            };
            assert_eq!(flow.status(), if allowed { to } else { from }, "{name} on a flow that is {from:?}");
        }
    }
}

/// A flow is `Active` from the moment at which it is in the table until it matches no key any more.
pub fn active_exactly_while_findable<B: Backend>(setup: Setup) {
    for end in [Status::Detached, Status::Expired, Status::Cancelled] {
        let table = Fixture::<B>::new(setup, 1);
        let flow = flow_in(&table, end);
        assert_eq!(table.snapshot().len(), 0, "a flow that is {end:?} is not in the table");
        assert!(!table.is_live(1, at(55)), "a flow that is {end:?} matches nothing");
        assert!(!flow.refresh(at(55)));
        assert_eq!(flow.set_deadline(at(900)), Err(NotLive(end)), "its deadline is over");
    }
    let table = Fixture::<B>::new(setup, 1);
    let flow = flow_in(&table, Status::Active);
    assert!(table.is_live(1, at(100)) && table.snapshot() == [flow]);
}

/// Each end is counted at once, under the reason of the first attempt. No later attempt counts it again.
pub fn each_end_is_counted_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 5);
    let flows: Vec<_> = (0..5).map(|key| table.put(key, at(0))).collect();
    assert!(flows[0].cancel());
    assert_eq!(table.stats().ended.cancelled, 1, "counted when it happens, not when it is reaped");
    assert_eq!(table.remove_flow(&flows[1]), Ok(true));
    drop(table.insert(table.flow(2), at(0)).expect("replaces"));
    drop(table.find(3, at(60)));
    assert_eq!(table.stats().ended.expired, 1, "counted when it happens, not when it is reaped");
    for flow in &flows {
        drop((table.find(*flow.key(), at(60)), table.remove_flow(flow), flow.cancel()));
        table.reap_all(at(60));
    }
    let ended = table.stats().ended;
    // Flow 4 and the one that replaced 2 were expired by look-ups as well.
    assert_eq!((ended.cancelled, ended.removed, ended.replaced, ended.expired), (1, 1, 1, 3), "{ended:?}");
    assert_eq!(ended.total(), table.stats().inserts);
}

/// A cancelled flow stays so: no operation makes it active again.
pub fn cancelled_is_final<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = flow_in(&table, Status::Cancelled);
    assert_eq!(table.reinsert(&flow, at(100)).map(drop), Err(ReinsertError::Cancelled));
    table.reap_all(at(100));
    assert_eq!(table.reinsert(&flow, at(100)).map(drop), Err(ReinsertError::Cancelled));
    assert_eq!(flow.status(), Status::Cancelled);
    assert!(!flow.refresh(at(100)) && !flow.cancel());
    assert_eq!((table.len(), table.stats().inserts), (0, 1));
}

/// If several threads end a flow at the same moment, one of them does, and one end is counted.
pub fn one_of_many_ends_wins<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    for round in 0..rounds(200) {
        let flow = table.put(1, at(0));
        let ended_before = table.stats().ended.total();
        let won = race(4, |thread| match thread {
            0 => flow.cancel(),
            1 => table.remove_flow(&flow) == Ok(true),
            2 => table.remove(&TestKey::from(1)).is_some(),
            _ => {
                drop(table.find(1, at(60)));
                false
            }
        });
        let by_status = match flow.status() {
            Status::Cancelled => won == [true, false, false, false],
            Status::Detached => won == [false, true, false, false] || won == [false, false, true, false],
            Status::Expired => won == [false; 4],
            Status::Active => false,
        };
        assert!(by_status, "round {round}: {:?} after {won:?}", flow.status());
        assert_eq!(table.stats().ended.total(), ended_before + 1, "round {round}");
        table.reap_all(at(0));
        assert_eq!(table.len(), 0, "round {round}");
    }
}

/// A flow has the keys, value, timeout, option and deadline of its `NewFlow`.
pub fn a_flow_is_what_was_inserted<B: Backend>(setup: Setup) {
    use flow_table_api::OnExpiry;

    let table = Fixture::<B>::new(setup, 2);
    let made = table.pair(1, 2).timeout(secs(7)).on_expiry(OnExpiry::Remove);
    let serial = made.value().serial();
    let flow = table.put_flow(made, at(3));
    assert_eq!((*flow.key(), flow.reply_key().copied()), (1.into(), Some(2.into())));
    assert_eq!(flow.key_for(Direction::Reply), flow.reply_key());
    assert_eq!(flow.value().serial(), serial);
    assert_eq!((flow.timeout(), flow.on_expiry()), (secs(7), OnExpiry::Remove));
    assert_eq!((flow.status(), flow.deadline()), (Status::Active, at(10)));
    assert_eq!(flow.direction(), Direction::Forward);

    let plain = table.put_flow(NewFlow::new(3.into(), table.ledger().value()), at(3));
    assert_eq!((plain.timeout(), plain.on_expiry()), (TIMEOUT, OnExpiry::KeepWhileReferenced));
    assert_eq!(plain.reply_key(), None);
}
