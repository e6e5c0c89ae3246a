//! Threads that are held up at the worst moments: with `--cfg flow_table_stall` at accesses to atomics, other ones
//! all the time (`scripts/stalls` runs that); else this is an ordinary stress, and a short one.
//!
//! FLOW_TABLE_STALL_SECONDS: for how long each test goes on, one second by default.

#![cfg(not(any(flow_table_loom, flow_table_shuttle)))]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flow_table_custom::FlowTable;
use flow_table_custom::api::{
    Budget, Burst, EndReason, Flow, NewFlow, OnExpiry, Table, TableConfig, Timeout, Timestamp,
};

const NOW: Timestamp = Timestamp::from_secs(1);

fn seconds() -> u64 {
    std::env::var("FLOW_TABLE_STALL_SECONDS").map_or(1, |count| count.parse().expect("a number"))
}

/// Runs all of `works` on threads of their own, over and over, with the number of the turn.
fn at_once(works: &[&(dyn Fn(u64) + Sync)]) {
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let threads = works.iter().map(|work| {
            scope.spawn(|| {
                let _guard = StopOnPanic(&stop);
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    work(turn);
                    if turn.is_multiple_of(16) && start.elapsed() > Duration::from_secs(seconds()) {
                        break;
                    }
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}

struct StopOnPanic<'s>(&'s AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

const ALIVE: u64 = 0xa11c_e000;
const DROPPED: u64 = 0xdead_0000;

/// A value that knows whether it has been dropped, and counts. What it knows is elsewhere, and stays: a value is
/// moved before it is dropped, and where it was looks as before.
struct Witness<'t> {
    word: &'static AtomicU64,
    dropped: &'t AtomicUsize,
}

impl<'t> Witness<'t> {
    fn new(made: &AtomicUsize, dropped: &'t AtomicUsize) -> Self {
        made.fetch_add(1, Ordering::Relaxed);
        Self { word: Box::leak(Box::new(AtomicU64::new(ALIVE))), dropped }
    }

    fn look(&self) {
        assert_eq!(self.word.load(Ordering::Relaxed), ALIVE, "a value that was dropped is seen");
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        assert_eq!(self.word.swap(DROPPED, Ordering::Relaxed), ALIVE, "dropped twice");
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is borrowed stays while others end flows and third parties collect; in the end all is dropped, once.
#[test]
fn what_bursts_borrow_stays() {
    let counts: &'static [AtomicUsize; 2] = Box::leak(Box::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
    let [made, dropped] = counts;
    let table = FlowTable::<u64, Witness<'static>>::with_config(TableConfig::new(64).shards(2));
    let flow = |key| NewFlow::new(key, Witness::new(made, dropped)).timeout(Duration::from_secs(1));
    let borrow = |turn: u64| {
        let burst = table.burst(NOW);
        let found: Vec<_> = (0..4).filter_map(|key| burst.get(&((turn + key) % 8))).collect();
        if turn.is_multiple_of(3) {
            thread::yield_now();
        }
        found.iter().for_each(|flow| flow.value().look());
        drop(found);
    };
    let replace = |turn: u64| drop(table.insert(flow(turn % 8), NOW));
    let remove = |turn: u64| drop(table.remove(&(turn % 8)));
    let expire = |turn: u64| {
        drop(table.insert(flow(turn % 8), Timestamp::ZERO));
        match turn % 2 {
            0 => table.reap(NOW, Budget::flows(3)),
            _ => table.reap_with(NOW, Budget::flows(3), drop),
        };
    };
    let come_back = |turn: u64| {
        if let Some(flow) = table.lookup(&(turn % 8), NOW) {
            flow.value().look();
            if turn.is_multiple_of(4) {
                flow.cancel();
            } else {
                let _ = table.remove_flow(&flow);
                let _ = table.reinsert(&flow, NOW);
            }
        }
    };
    let collect = |_| drop(table.burst(NOW));
    at_once(&[&borrow, &borrow, &replace, &remove, &expire, &come_back, &collect]);
    while table.reap(Timestamp::MAX, Budget::UNLIMITED).visited() > 0 {}
    assert_eq!((table.len(), table.stats().waiting), (0, 0));
    assert_eq!(made.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed), "something was never dropped");
    table.verify().expect("whole");
}

/// One borrower, who looks again after a while, one who ends flows, and a third party whose bursts let something
/// wait and then collect it: what is borrowed stays.
#[test]
fn what_is_borrowed_stays_beside_a_third_party_that_collects() {
    let counts: &'static [AtomicUsize; 2] = Box::leak(Box::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
    let [made, dropped] = counts;
    let table = FlowTable::<u64, Witness<'static>>::with_config(TableConfig::new(16).shards(1));
    let replace = |key| drop(table.insert(NewFlow::new(key, Witness::new(made, dropped)), NOW));
    let borrow = |turn: u64| {
        let burst = table.burst(NOW);
        if let Some(flow) = burst.get(&1) {
            for _ in 0..turn % 8 {
                flow.value().look();
                thread::sleep(Duration::from_micros(200));
            }
            flow.value().look();
        }
    };
    // Not all the time: it collects too.
    let end = |turn: u64| {
        thread::sleep(Duration::from_micros(100 * (turn % 8)));
        replace(1);
    };
    let collect = |_| {
        let burst = table.burst(NOW);
        replace(2);
        drop(burst);
    };
    at_once(&[&borrow, &end, &collect]);
    table.reap(Timestamp::MAX, Budget::UNLIMITED);
    assert_eq!(table.stats().waiting, 0);
    assert_eq!(made.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed), "something was never dropped");
}

/// One pair of keys always has a live flow: it is replaced, and found, whole.
#[test]
fn what_is_replaced_is_found() {
    let table = FlowTable::<u64, u64>::with_config(TableConfig::new(8).shards(2));
    let pair = |number| NewFlow::new(1, number).reply(2).timeout(Timeout::NEVER);
    drop(table.insert(pair(0), NOW).expect("there is room"));
    let replace = |turn: u64| drop(table.insert(pair(turn), NOW).expect("it replaces"));
    let look_up = |turn: u64| {
        let key = 1 + turn % 2;
        assert!(table.lookup(&key, NOW).is_some(), "key {key} is missed");
        let burst = table.burst(NOW);
        assert!(burst.get(&(3 - key)).is_some(), "key {} is missed in a burst", 3 - key);
    };
    let others = |turn: u64| {
        drop(table.insert(NewFlow::new(10 + turn % 3, 0), NOW));
        drop(table.remove(&(10 + turn % 3)));
    };
    at_once(&[&replace, &replace, &look_up, &look_up, &others]);
    table.verify().expect("whole");
}

/// A flow that expires, is held, comes back and is displaced by another: one of the two is always found.
#[test]
fn what_has_expired_and_is_held_is_found() {
    let table = FlowTable::<u64, u64>::with_config(TableConfig::new(64).shards(1));
    let held = table.insert(NewFlow::new(1, 0).timeout(Duration::from_nanos(1)), NOW).expect("there is room").flow;
    let later = NOW + Duration::from_secs(1);
    let come_and_go = |_| {
        let _ = table.reinsert(&held, NOW);
        table.reap(later, Budget::flows(8));
    };
    let look_up = |_| assert!(table.lookup(&1, later).is_some(), "missed");
    at_once(&[&come_and_go, &look_up, &look_up]);
}

/// A flow whose cancellation has returned is handed over by the next reap, however long others are held up that
/// end flows of its page.
#[test]
fn what_was_cancelled_is_reaped_next() {
    let table = FlowTable::<u64, u64>::with_config(TableConfig::new(1_000).shards(1));
    let next = AtomicU64::new(0);
    // Never so many that an insertion would make room.
    let cancel = |_| {
        if table.len() > 500 {
            return thread::yield_now();
        }
        let key = 1_000 + next.fetch_add(1, Ordering::Relaxed);
        if let Ok(inserted) = table.insert(NewFlow::new(key, 0).timeout(Timeout::NEVER), NOW) {
            assert!(inserted.flow.cancel());
        }
    };
    let check = |turn: u64| {
        let flow = NewFlow::new(turn % 7, turn).timeout(Timeout::NEVER).on_expiry(OnExpiry::Remove);
        let Ok(inserted) = table.insert(flow, NOW) else { return };
        let flow = inserted.flow;
        assert!(flow.cancel());
        let mut found = false;
        while {
            let mut hand_over = |ended: flow_table_custom::api::Ended<_>| {
                assert_eq!(ended.reason, EndReason::Cancelled);
                found |= ended.flow == flow;
            };
            table.reap_with(NOW, Budget::flows(1), &mut hand_over).more && !found
        } {}
        assert!(found, "a reap with nothing more to do has overlooked it");
    };
    at_once(&[&cancel, &cancel, &cancel, &check]);
    table.reap(NOW, Budget::UNLIMITED);
    assert_eq!(table.len(), 0);
}

/// Flows that never expire are found while others come and go around them in full buckets.
#[test]
fn what_stays_is_found() {
    const STABLE: u64 = 40;
    let table = FlowTable::<u64, u64>::with_config(TableConfig::new(200).shards(1));
    for key in 0..STABLE {
        drop(table.insert(NewFlow::new(key, key).reply(1_000 + key).timeout(Timeout::NEVER), NOW).expect("room"));
    }
    let clock = AtomicU64::new(1);
    let churn = |turn: u64| {
        let now = Timestamp::from_nanos(clock.fetch_add(1, Ordering::Relaxed));
        let flow = NewFlow::new(2_000 + turn % 300, turn).timeout(Duration::from_nanos(60));
        drop(table.insert(flow, now));
        if turn.is_multiple_of(4) {
            table.reap_with(now, Budget::UNLIMITED, drop);
        }
    };
    let look_up = |turn: u64| {
        let key = turn % STABLE;
        assert_eq!(table.lookup(&key, NOW).map(|flow| *flow.value()), Some(key));
        assert_eq!(table.lookup(&(1_000 + key), NOW).map(|flow| *flow.value()), Some(key));
    };
    at_once(&[&churn, &churn, &look_up]);
    table.verify().expect("whole");
}
