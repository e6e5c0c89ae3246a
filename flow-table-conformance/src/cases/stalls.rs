//! Bursts that stay open for long, or for ever: what they hold back, and how they are found.

use flow_table_api::{Burst, Flow, NewFlow, Status, Table};

use crate::fixture::{Fixture, TestKey, at, secs};
use crate::{Backend, Setup};

/// Flows that come and go. Far more than a stalled burst may hold back.
const MANY: u64 = if cfg!(miri) { 500 } else { 20_000 };
/// Flows that stay in the table.
const FEW: u64 = 50;
/// The flows that one burst may hold back beyond those of the rule, because backends tell times apart in steps.
const STEP: usize = 1_500;

/// `flows` flows come and go, each alone: they are removed, or expire and are reaped.
fn come_and_go<B: Backend>(table: &Fixture<B>, flows: u64) {
    for key in FEW..FEW + flows {
        drop(table.put_flow(table.flow(key).timeout(secs(1)), at(0)));
        if key % 4 == 0 {
            assert!(table.remove(&TestKey::new(key)).is_some());
        } else {
            assert_eq!(table.reap_all(at(1)).expired, 1);
        }
    }
}

/// The flows whose values are there though they are not in the table.
fn held_back<B: Backend>(table: &Fixture<B>) -> usize {
    table.ledger().made() - table.ledger().dropped() - table.len()
}

/// Of the flows that come and go after the last look-ups of open bursts, few wait for these. What the bursts have
/// borrowed stays. When they close, nothing waits any more.
pub fn a_stalled_burst_holds_back_little<B: Backend>(setup: Setup) {
    for bursts in 1..=3 {
        let table = Fixture::<B>::new(setup, FEW as usize + 1);
        (0..FEW).for_each(|key| drop(table.put(key, at(0))));
        let open: Vec<_> = (0..bursts).map(|_| table.burst(at(0))).collect();
        come_and_go(&table, 10);
        let borrowed: Vec<_> = open.iter().map(|burst| burst.get(&TestKey::new(0)).expect("live")).collect();
        come_and_go(&table, MANY);
        assert!(table.remove(&TestKey::new(0)).is_some());
        let (held, waiting) = (held_back(&table), table.stats().waiting);
        assert!(held <= FEW as usize + 10 + bursts * STEP, "{held} of {MANY} flows wait for {bursts} bursts");
        assert!(waiting <= held, "{waiting} flows are said to wait, {held} do");
        assert!(borrowed.iter().all(|flow| flow.value().serial() == 0 && flow.status() == Status::Detached));
        drop(open);
        table.reap_all(at(1));
        assert_eq!((held_back(&table), table.stats().waiting), (0, 0), "nothing waits without a burst");
    }
}

/// The same while other bursts open and close all the time, which looks flows up that then end.
pub fn short_bursts_wait_for_no_stalled_one<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    drop(table.put(0, at(0)));
    let stalled = table.burst(at(0));
    assert!(stalled.get(&TestKey::new(0)).is_some());
    let mut short = table.burst(at(0));
    for key in 1..MANY {
        drop(table.put(key, at(0)));
        assert!(short.get(&TestKey::new(key)).is_some_and(|flow| flow.status() == Status::Active));
        assert!(table.remove(&TestKey::new(key)).is_some());
        // They overlap.
        short = table.burst(at(0));
    }
    let held = held_back(&table);
    assert!(held <= 2 + STEP, "{held} of {MANY} flows wait for a burst that cannot have seen them");
    drop((short, stalled));
    table.reap_all(at(0));
    assert_eq!((held_back(&table), table.stats().waiting), (0, 0));
}

/// A burst that is forgotten costs its share of memory once, however many flows come and go.
pub fn a_leaked_burst_costs_its_share_once<B: Backend>(setup: Setup) {
    const CAPACITY: u64 = 500;
    const WAVES: u64 = if cfg!(miri) { 3 } else { 120 };
    type Payload = [u64; 16];
    let table = B::Table::<u64, Payload>::with_config(setup.exactly(CAPACITY as usize));
    let wave = |wave: u64| {
        for key in wave * CAPACITY..(wave + 1) * CAPACITY {
            drop(table.insert(NewFlow::new(key, [key; 16]).timeout(secs(1)), at(0)).expect("there is room"));
        }
        let full = table.memory();
        assert_eq!(table.reap(at(1), flow_table_api::Budget::UNLIMITED).expired, CAPACITY as usize);
        full
    };
    let full = wave(0);
    (0..2).for_each(|_| std::mem::forget(table.burst(at(0))));
    // Beyond the flows in the table: those of the rule, and a step.
    let flow = size_of::<(u64, Payload)>() * 2;
    let bound = 2 * full + 2 * STEP * flow + (1 << 20);
    let all = WAVES as usize * CAPACITY as usize * size_of::<(u64, Payload)>();
    assert!(cfg!(miri) || bound < all, "{bound} bytes allowed, {all} come and go: not to be told apart");
    for number in 1..=WAVES {
        wave(number);
        let bytes = table.memory();
        assert!(bytes <= bound, "{bytes} bytes after {number} waves, {full} when full");
    }
}

/// The counters tell since when the oldest burst is open.
pub fn the_oldest_burst_is_told<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let oldest = || table.stats().oldest_burst;
    assert_eq!(oldest(), None);
    let mut open: Vec<_> = [7, 5, 9, 5].map(|now| table.burst(at(now))).into();
    for (close, left) in [(1, Some(5)), (2, Some(7)), (0, Some(9))] {
        drop(open.remove(close));
        assert_eq!(oldest(), left.map(at), "once one of {} is closed", open.len() + 1);
    }
    open.clear();
    assert_eq!(oldest(), None);
    std::mem::forget(table.burst(at(8)));
    drop(table.burst(at(3)));
    assert_eq!(oldest(), Some(at(8)), "a burst that was leaked");
}
