//! Tests the background thread. Times are manual. The tests wait only for the thread itself.

#![cfg(any(feature = "dashmap", feature = "custom"))]

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow_table::{
    Budget, Clock, EndReason, Flow, FlowTable, ManualClock, NewFlow, Reaper, ReaperConfig, Table, Timestamp,
};

type Flows = FlowTable<u32, ()>;

/// Only limits how long a failing test takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// One round at the start, and no other.
const ONE_ROUND: ReaperConfig = ReaperConfig::new().interval(Duration::MAX);
const OFTEN: ReaperConfig = ReaperConfig::new().interval(Duration::from_millis(1));

fn flows(count: u32) -> Arc<Flows> {
    let table = Flows::new(1_000);
    for key in 0..count {
        drop(table.insert(NewFlow::new(key, ()).timeout(Duration::from_secs(1)), Timestamp::ZERO).unwrap());
    }
    Arc::new(table)
}

fn clock(seconds: u64) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_secs(seconds)))
}

/// Waits until the thread has ended: it owns the callback, and with it the sender.
fn wait_for_end<T>(received: &Receiver<T>) {
    loop {
        match received.recv_timeout(PATIENCE) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => panic!("the thread did not end"),
        }
    }
}

#[test]
fn r5_reaps_without_traffic_and_hands_over_what_ends() {
    let (table, clock) = (flows(2), clock(0));
    let (send, received) = channel();
    let _reaper = Reaper::spawn_with(&table, Arc::clone(&clock), OFTEN, move |ended| {
        send.send((*ended.flow.key(), ended.reason)).unwrap();
    })
    .unwrap();

    assert!(table.lookup(&0, clock.now()).unwrap().cancel());
    assert_eq!(received.recv_timeout(PATIENCE), Ok((0, EndReason::Cancelled)));
    clock.set(Timestamp::from_secs(1));
    assert_eq!(received.recv_timeout(PATIENCE), Ok((1, EndReason::Expired)));
}

#[test]
fn one_round_collects_all_that_is_due_whatever_the_budget() {
    for budget in [0, 1, 7, usize::MAX] {
        let table = flows(100);
        let (send, received) = channel();
        let config = ONE_ROUND.budget(Budget::flows(budget));
        let _reaper =
            Reaper::spawn_with(&table, clock(1), config, move |ended| send.send(ended).unwrap()).unwrap();
        for _ in 0..100 {
            drop(received.recv_timeout(PATIENCE).expect("the round goes on while more is due"));
        }
    }
}

#[test]
fn dropping_it_ends_the_thread_without_waiting_for_the_interval() {
    let table = flows(1);
    let (send, received) = channel();
    let reaper = Reaper::spawn_with(&table, clock(0), ONE_ROUND, move |_| send.send(()).unwrap()).unwrap();
    drop(reaper);
    assert!(received.try_recv().is_err_and(|error| error == std::sync::mpsc::TryRecvError::Disconnected));
    assert_eq!(table.len(), 1, "and the table lives on");
}

#[test]
fn it_holds_the_table_weakly_and_ends_with_it() {
    let table = flows(1);
    let flow = table.lookup(&0, Timestamp::ZERO).unwrap();
    let (send, received) = channel();
    let _reaper = Reaper::spawn_with(&table, clock(0), OFTEN, move |_| send.send(()).unwrap()).unwrap();
    drop(table);
    wait_for_end(&received);
    assert!(!flow.cancel(), "the table is gone");
}

#[test]
fn v4_it_goes_on_after_a_panic_of_the_callback() {
    let table = flows(3);
    let (send, received) = channel();
    let mut calls = 0;
    let _reaper = Reaper::spawn_with(&table, clock(1), ONE_ROUND, move |ended| {
        calls += 1;
        if calls == 2 {
            resume_unwind(Box::new("not shown: no panic hook runs"));
        }
        send.send(ended).unwrap();
    })
    .unwrap();
    for _ in 0..2 {
        assert!(received.recv_timeout(PATIENCE).is_ok());
    }
}

#[test]
fn the_callback_may_drop_the_reaper() {
    let table = flows(1);
    let clock = clock(0);
    let slot = Arc::new(Mutex::new(None));
    let (send, received) = channel();
    let own = Arc::clone(&slot);
    let reaper = Reaper::spawn_with(&table, Arc::clone(&clock), OFTEN, move |_| {
        drop(own.lock().unwrap().take());
        send.send(()).unwrap();
    });
    *slot.lock().unwrap() = Some(reaper.unwrap());
    clock.set(Timestamp::from_secs(1));
    wait_for_end(&received);
    assert!(slot.lock().unwrap().is_none());
}

#[test]
fn a_clock_that_panics_ends_the_thread_and_nothing_else() {
    struct Broken;
    impl Clock for Broken {
        fn now(&self) -> Timestamp {
            resume_unwind(Box::new("not shown: no panic hook runs"))
        }
    }
    let table = flows(1);
    let (send, received) = channel();
    let reaper = Reaper::spawn_with(&table, Broken, OFTEN, move |_| send.send(()).unwrap()).unwrap();
    wait_for_end(&received);
    drop(reaper);
    assert!(table.lookup(&0, Timestamp::ZERO).is_some());
}

#[test]
fn without_a_callback_it_drops_what_ends() {
    let table = flows(1);
    let flow = table.lookup(&0, Timestamp::ZERO).unwrap();
    let clock = clock(1);
    let reaper = Reaper::spawn(&table, Arc::clone(&clock), OFTEN).unwrap();
    while !table.is_empty() {
        std::thread::yield_now();
    }
    drop(reaper);
    drop(table);
    assert_eq!(Arc::strong_count(&clock), 1);
    assert!(!flow.is_live(Timestamp::ZERO));
}
