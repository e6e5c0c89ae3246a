//! Flows that have given up their places in a full table, and wait for a reap to hand them over (contract C2).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use flow_table_dashmap::flow_table_api::{
    Budget, EndReason, Flow, InsertError, NewFlow, OnExpiry, ReinsertError, Status, Table, Timestamp,
};
use flow_table_dashmap::{FlowHandle, FlowTable};

type Flows = FlowTable<u64, u64>;
type Handle = FlowHandle<u64, u64>;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn flow(key: u64) -> NewFlow<u64, u64> {
    NewFlow::new(key, key).timeout(Duration::from_secs(10))
}

fn put(table: &Flows, key: u64, now: u64) -> Handle {
    table.insert(flow(key), at(now)).expect("there is room").flow
}

fn is_full(table: &Flows, key: u64, now: u64) -> bool {
    matches!(table.insert(flow(key), at(now)), Err(InsertError::Full { .. }))
}

/// The keys that a reap of at most `budget` flows hands over, in order.
fn reap(table: &Flows, now: u64, budget: usize) -> Vec<u64> {
    let mut keys = Vec::new();
    let report = table.reap_with(at(now), Budget::flows(budget), |ended| keys.push(*ended.flow.value()));
    assert_eq!((report.expired + report.cancelled, report.visited() <= budget), (keys.len(), true));
    keys
}

fn dying(table: &Flows) -> usize {
    table.stats().dying
}

/// Inserts 20 flows a second, which live for three seconds, and reaps at these intervals. Returns the number of
/// flows that were refused.
fn record_all(seconds_between_reaps: u64) -> u64 {
    const FLOWS: u64 = 20_000;
    const CAPACITY: usize = 100;
    let table = Flows::new(CAPACITY);
    let mut outcomes = vec![0_u8; FLOWS as usize];
    let mut refused = 0;
    for key in 0..FLOWS {
        let now = Timestamp::from_nanos(50_000_000 * key);
        if key % (20 * seconds_between_reaps) == 0 {
            table.reap_with(now, Budget::UNLIMITED, |ended| {
                assert_eq!(ended.reason, EndReason::Expired);
                outcomes[*ended.flow.value() as usize] += 1;
            });
        }
        // Ignores what the insertion returns.
        if table.insert_if_absent(flow(key).timeout(Duration::from_secs(3)), now).is_err() {
            outcomes[key as usize] += 1;
            refused += 1;
        }
        assert!(table.len() <= CAPACITY && dying(&table) <= CAPACITY);
    }
    table.reap_with(Timestamp::MAX, Budget::UNLIMITED, |ended| outcomes[*ended.flow.value() as usize] += 1);
    assert!(outcomes.iter().all(|times| *times == 1), "lost, or handed over twice");
    assert_eq!((table.len(), dying(&table), table.stats().refusals), (0, 0, refused));
    refused
}

#[test]
fn every_flow_is_recorded_or_was_refused() {
    // In five seconds 100 flows come on top of 60 that live: 200 may live, wait in their places, or die.
    assert_eq!(record_all(5), 0);
    // In ten seconds 200 come.
    assert!(record_all(10) > 0);
}

#[test]
fn at_most_capacity_flows_are_dying() {
    let table = Flows::new(4);
    for key in 0..8 {
        drop(put(&table, key, 10 * (key / 4)));
    }
    assert_eq!((table.len(), dying(&table)), (4, 4));
    assert!(is_full(&table, 8, 20), "four are due, but four are dying");
    assert!(put(&table, 4, 15).is_live(at(15)), "replacing is always allowed");
    assert_eq!(reap(&table, 15, 1), [0]);
    drop(put(&table, 8, 20));
    assert!(is_full(&table, 9, 20));
    // A lower limit applies to dying flows, too.
    table.set_capacity(3);
    assert_eq!(reap(&table, 15, 1), [1]);
    assert!(is_full(&table, 9, 20));
    assert_eq!(reap(&table, 15, 9).len(), 3);
    assert_eq!((table.len(), dying(&table)), (4, 0));
}

#[test]
fn the_dying_are_handed_over_first_and_each_once() {
    let table = Flows::new(2);
    let cancelled = put(&table, 0, 0);
    assert!(cancelled.cancel());
    drop(put(&table, 1, 0));
    drop((put(&table, 2, 5), put(&table, 3, 10)));
    assert_eq!((table.len(), dying(&table), table.next_deadline()), (2, 2, Some(Timestamp::ZERO)));
    let mut ended = Vec::new();
    let report = table.reap_with(at(15), Budget::flows(2), |end| ended.push((*end.flow.value(), end.reason)));
    assert_eq!((report.expired, report.cancelled, report.more), (1, 1, true));
    assert_eq!(ended, [(0, EndReason::Cancelled), (1, EndReason::Expired)]);
    assert_eq!((reap(&table, 15, 9), table.next_deadline()), (vec![2], Some(at(20))));
}

#[test]
fn there_is_something_to_do_though_no_flow_has_a_place() {
    let table = Flows::new(1);
    drop(put(&table, 0, 0));
    let second = put(&table, 1, 10);
    assert_eq!(table.remove_flow(&second), Ok(true));
    assert_eq!((table.len(), table.next_deadline()), (0, Some(Timestamp::ZERO)));
    assert_eq!((reap(&table, 0, 9), table.next_deadline()), (vec![0], None));
}

#[test]
fn a_dying_flow_is_found_as_any_that_has_expired() {
    let table = Flows::new(2);
    let held = put(&table, 0, 0);
    let hidden = table.insert(flow(1).on_expiry(OnExpiry::Remove), at(0)).expect("there is room").flow;
    drop((put(&table, 2, 10), put(&table, 3, 10)));
    assert_eq!(dying(&table), 2);
    let found = table.lookup(&0, at(10)).expect("held");
    assert_eq!((found.status(), found == held), (Status::Expired, true));
    assert_eq!(table.lookup(&1, at(10)), None);
    drop((held, hidden));
    assert!(table.lookup(&0, at(10)).is_some(), "by the other handle");
    drop(found);
    assert_eq!(table.lookup(&0, at(10)), None, "the table alone holds it");
    assert_eq!((table.remove(&0), dying(&table)), (None, 2));
    assert_eq!(reap(&table, 10, 9), [0, 1]);
}

#[test]
fn a_dying_flow_that_comes_back_needs_a_place() {
    let table = Flows::new(1);
    let first = put(&table, 0, 0);
    let second = put(&table, 1, 10);
    assert_eq!((first.status(), dying(&table)), (Status::Expired, 1));
    assert_eq!(table.reinsert(&first, at(15)), Err(ReinsertError::Full { capacity: 1 }));
    assert_eq!((dying(&table), table.stats().refusals), (1, 1));
    assert_eq!(table.reinsert(&first, at(20)), Err(ReinsertError::Full { capacity: 1 }), "one is dying already");
    table.set_capacity(2);
    assert_eq!(table.reinsert(&first, at(20)), Ok(first.clone()));
    assert_eq!((table.len(), dying(&table)), (2, 0));
    table.set_capacity(1);
    assert_eq!(table.remove_flow(&first), Ok(true));
    // The flow has no place now, and the second one makes room.
    assert_eq!(table.reinsert(&first, at(20)), Ok(first.clone()));
    assert_eq!((table.len(), dying(&table), second.status()), (1, 1, Status::Expired));
    assert_eq!(reap(&table, 20, 9), [1], "the first one's earlier end is not handed over");
    assert_eq!(reap(&table, 30, 9), [0]);
}

#[test]
fn a_callback_that_panics_loses_none_of_the_dying() {
    let table = Flows::new(3);
    (0..6).for_each(|key| drop(put(&table, key, 10 * (key / 3))));
    let mut given = Vec::new();
    let reap_and_panic = || {
        table.reap_with(at(20), Budget::UNLIMITED, |ended| {
            given.push(*ended.flow.value());
            resume_unwind(Box::new("not shown: no panic hook runs"));
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(reap_and_panic)).is_err());
    assert_eq!((given, dying(&table)), (vec![0], 2));
    let rest = reap(&table, 20, 9);
    assert_eq!(rest[..2], [1, 2]);
    assert_eq!((rest.len(), rest.iter().sum::<u64>()), (5, 15));
}

#[test]
fn each_thread_reaps_its_own_dying_flows() {
    let table = Flows::new(2);
    drop(put(&table, 0, 0));
    std::thread::scope(|scope| drop(scope.spawn(|| drop(put(&table, 1, 0))).join()));
    drop((put(&table, 2, 10), put(&table, 3, 10)));
    assert_eq!(dying(&table), 2);
    assert_eq!(table.reap_local(at(10), Budget::UNLIMITED).expired, 1);
    assert_eq!((dying(&table), reap(&table, 10, 9)), (1, vec![1]));
}

#[test]
fn memory_counts_dying_flows() {
    let table = Flows::new(1_000);
    (0..1_000).for_each(|key| drop(put(&table, key, 0)));
    (1_000..2_000).for_each(|key| drop(put(&table, key, 10)));
    let with = table.memory();
    assert_eq!(reap(&table, 10, 1_000).len(), 1_000);
    assert!(table.memory() + 1_000 * 96 <= with, "at least the flows themselves");
}
