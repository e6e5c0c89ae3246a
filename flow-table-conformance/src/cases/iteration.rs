use std::collections::HashMap;
use std::ops::ControlFlow;

use flow_table_api::{Flow, NewFlow, Status, Table};

use crate::fixture::{Fixture, TestKey, at, race, rounds};
use crate::{Backend, Setup};

/// Iteration visits each active flow exactly once, also flows with two keys, and no ended flow.
pub fn visits_each_flow_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 90);
    let flows: Vec<_> = (0..90)
        .map(|id| if id % 2 == 0 { table.put(id, at(0)) } else { table.put_pair(id, 1_000 + id, at(0)) })
        .collect();
    for (index, flow) in flows.iter().enumerate() {
        match index % 9 {
            0 => assert!(flow.cancel()),
            1 => assert_eq!(table.remove_flow(flow), Ok(true)),
            2 => {
                flow.set_deadline(at(10)).expect("live");
                assert_eq!(table.find(*flow.key(), at(10)).map(|flow| flow.status()), Some(Status::Expired));
            }
            _ => {}
        }
    }
    let mut visits = HashMap::new();
    table.for_each(|flow| *visits.entry(flow.clone()).or_insert(0) += 1);
    for flow in &flows {
        assert_eq!(visits.remove(flow), (flow.status() == Status::Active).then_some(1), "{:?}", flow.key());
    }
    assert!(visits.is_empty());
    assert_eq!(table.snapshot().len(), 60);
}

/// `retain` removes the flows that its callback rejects, and returns their number.
pub fn retain_removes_the_rest<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 50);
    for id in 0..50 {
        drop(table.put_pair(id, 1_000 + id, at(0)));
    }
    let keep = |key: &TestKey| (0..50).step_by(3).any(|id| *key == TestKey::new(id));
    assert_eq!(table.retain(|flow| keep(flow.key())), 33);
    assert_eq!((table.len(), table.stats().ended.removed, table.ledger().dropped()), (17, 33, 33));
    assert!((0..50).all(|id| table.is_live(id, at(0)) == (id % 3 == 0)));
    assert!((0..50).all(|id| table.is_live(1_000 + id, at(0)) == (id % 3 == 0)));
}

/// While a callback runs, it may use the table in every way, also end flows that are still to be visited.
pub fn callbacks_may_use_the_table<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 60);
    let mut held: Vec<_> = (0..20).map(|id| table.put(id, at(0))).collect();
    let mut visited = 0;
    table.for_each(|flow| {
        visited += 1;
        assert_eq!(flow.status(), Status::Active, "a flow that has ended was visited");
        let key = *flow.key();
        // New flows may be visited, too, so only a limited number is made.
        if visited <= 20 {
            drop(table.put(1_000 + visited, at(0)));
        }
        match visited % 4 {
            0 => assert!(flow.cancel()),
            1 => assert!(table.remove(&key).is_some()),
            2 if visited <= 20 => drop(table.insert(table.flow(key), at(0)).expect("there is room")),
            _ => drop(held.pop().map(|other| table.remove_flow(&other))),
        }
        drop((table.find(key, at(0)), table.snapshot(), table.stats()));
    });
    assert!(visited >= 10, "flows that were there throughout were left out");
    drop(held);
    let active = table.snapshot().len();
    assert_eq!(table.retain(|_| false), active);
}

/// Flows that are in the table all the time are visited exactly once while other threads insert and remove others.
pub fn is_exact_for_what_stays<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 300);
    let stay: Vec<_> = (0..50).map(|id| table.put_pair(id, 5_000 + id, at(0))).collect();
    race(3, |thread| {
        for round in 0..rounds(30) {
            if thread > 0 {
                let keys = (0..100).map(|id| 10_000 * thread as u64 + id);
                let flows: Vec<_> = keys.map(|key| table.put(key, at(0))).collect();
                for (index, flow) in flows.iter().enumerate() {
                    assert!(if index % 2 == 0 { flow.cancel() } else { table.remove_flow(flow) == Ok(true) });
                }
                table.reap_all(at(0));
                continue;
            }
            let mut visits = HashMap::new();
            table.for_each(|flow| *visits.entry(flow.clone()).or_insert(0) += 1);
            assert!(stay.iter().all(|flow| visits.get(flow) == Some(&1)), "round {round}");
            assert!(visits.values().all(|&count| count == 1), "round {round}: something was visited twice");
        }
    });
}

/// Iteration ends when the callback breaks, and returns what it broke with.
pub fn may_end_early<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 50);
    (0..50).for_each(|id| drop(table.put(id, at(0))));
    let mut visits = 0;
    let found = table.try_for_each(|flow| {
        visits += 1;
        if visits == 7 { ControlFlow::Break(flow.clone()) } else { ControlFlow::Continue(()) }
    });
    let ControlFlow::Break(seventh) = found else { panic!("it broke") };
    assert!(visits == 7 && seventh.is_live(at(0)));
    assert_eq!(table.try_for_each(|_| ControlFlow::<()>::Continue(())), ControlFlow::Continue(()));
}

/// A list for people has a line for each active flow that passes the filter, in the order of the keys.
pub fn lists_are_whole_and_in_order<B: Backend>(setup: Setup) {
    let table = B::Table::<u32, &str>::with_config(setup.config(30));
    for key in (0..30).rev() {
        let flow = NewFlow::new(key, if key < 20 { "low" } else { "high" });
        let flow = if key % 2 == 0 { flow } else { flow.reply(1_000 + key) };
        drop(table.insert(flow, at(key.into())).expect("there is room"));
    }
    assert!(table.lookup(&3, at(0)).is_some_and(|flow| flow.cancel()));
    let list = table.dump(|flow| *flow.value() == "low");
    let text = list.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 19);
    assert!(
        lines[0].starts_with("0  active until ") && lines[0].ends_with("timeout 60s  \"low\""),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("1  reply 1001  active until "), "{}", lines[1]);
    let keys: Vec<_> = list.into_flows().iter().map(|flow| *flow.key()).collect();
    assert_eq!(keys, (0..20).filter(|&key| key != 3).collect::<Vec<_>>());
}
