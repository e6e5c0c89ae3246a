use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use flow_table_api::{Budget, Flow, NewFlow, OnExpiry, Table, TableConfig, Timestamp};

use crate::fixture::{Call, Fixture, TestKey, at, during, secs};
use crate::{Backend, Setup, TestTable};

const YEAR: Duration = secs(365 * 86_400);
const LONG_LIVED: u64 = 2_500;
const FLOOD: u64 = if cfg!(miri) { 4_000 } else { 50_000 };

/// What a table of any size may keep in reserve, because it takes memory in pages.
const RESERVE: usize = 1 << 20;

/// A payload such that the flood is far larger than the reserve.
type Payload = [u64; 16];
type PayloadTable<B> = <B as Backend>::Table<u64, Payload>;

/// Twice what it was before, and the reserve. A table that keeps its flood does not stay within it.
fn bound(before: usize, full: usize) -> usize {
    let bound = 2 * before + RESERVE;
    assert!(cfg!(miri) || full > bound, "{full} bytes when full, {before} before: not to be told apart");
    bound
}

fn put<B: Backend>(table: &PayloadTable<B>, key: u64, timeout: Duration) {
    let flow = NewFlow::new(key, [key; 16]).timeout(timeout);
    drop(table.insert(flow, at(0)).expect("there is room"));
}

/// Once a flood on top of long-lived flows has expired, one reap brings memory back to what it was.
pub fn memory_goes_back_after_a_flood<B: Backend>(setup: Setup) {
    let table = PayloadTable::<B>::with_config(setup.config((LONG_LIVED + FLOOD) as usize));
    (0..LONG_LIVED).for_each(|key| put::<B>(&table, key, YEAR));
    let before = table.memory();
    for wave in 1..=2 {
        (0..FLOOD).for_each(|key| put::<B>(&table, LONG_LIVED + wave * FLOOD + key, secs(10)));
        let bound = bound(before, table.memory());
        assert_eq!(table.reap(at(10), Budget::UNLIMITED).expired, FLOOD as usize);
        let after = table.memory();
        assert!(after <= bound, "wave {wave}: {before} bytes before the flood, {after} after it");
    }
    assert!((0..LONG_LIVED).all(|key| table.lookup(&key, at(10)).is_some()));
    assert_eq!(table.len(), LONG_LIVED as usize);
}

/// Of a flood, each twentieth flow lives on. A few reaps later, these take no more than in a table that never had
/// others, and each is where it was.
pub fn memory_follows_those_that_live_on<B: Backend>(setup: Setup) {
    const FURTHER_REAPS: usize = 50;
    let new = || PayloadTable::<B>::with_config(setup.config(FLOOD as usize));
    let live_on = || (0..FLOOD).filter(|key| key.is_multiple_of(20));
    let (fresh, table) = (new(), new());
    live_on().for_each(|key| put::<B>(&fresh, key, YEAR));
    (0..FLOOD).for_each(|key| put::<B>(&table, key, if key.is_multiple_of(20) { YEAR } else { secs(10) }));
    let (held, bound) = (table.lookup(&0, at(0)), bound(fresh.memory(), table.memory()));
    for _ in 0..=FURTHER_REAPS {
        table.reap(at(10), Budget::UNLIMITED);
    }
    let after = table.memory();
    assert!(after <= bound, "{} bytes in a new table, {after} after the flood", fresh.memory());
    assert_eq!(table.lookup(&0, at(10)), held, "somebody holds it");
    for key in live_on() {
        let found = table.lookup(&key, at(10)).expect("it lives on");
        assert_eq!((found.value(), found.deadline()), (&[key; 16], at(0) + YEAR));
    }
    let mut visited: Vec<_> = table.snapshot().iter().map(|flow| *flow.key()).collect();
    visited.sort_unstable();
    assert!(visited.into_iter().eq(live_on()));
    assert_eq!(table.reap(at(0) + YEAR, Budget::UNLIMITED).expired, live_on().count());
}

/// Slots of flows that were held beyond their end do not keep the table large after these were dropped.
pub fn dead_slots_do_not_prevent_shrinking<B: Backend>(setup: Setup) {
    let table = PayloadTable::<B>::with_config(setup.config((LONG_LIVED + FLOOD) as usize));
    (0..LONG_LIVED).for_each(|key| put::<B>(&table, key, YEAR));
    let before = table.memory();
    let flood = (0..FLOOD).map(|key| {
        let on_expiry = if key % 2 == 0 { OnExpiry::Remove } else { OnExpiry::KeepWhileReferenced };
        let flow = NewFlow::new(LONG_LIVED + key, [key; 16]).timeout(secs(10)).on_expiry(on_expiry);
        table.insert(flow, at(0)).expect("there is room").flow
    });
    let held: Vec<_> = flood.collect();
    let bound = bound(before, table.memory());
    assert_eq!(table.reap(at(10), Budget::UNLIMITED).expired, FLOOD as usize);
    assert_eq!(table.len(), LONG_LIVED as usize);
    drop(held);
    // Their slots went with them; a reap may leave shrinking to the next one.
    table.reap(at(10), Budget::UNLIMITED);
    table.reap(at(10), Budget::UNLIMITED);
    assert!(table.memory() <= bound, "{before} bytes before the flood, {} after it", table.memory());
}

/// One late reap frees flows of one packet each, which were never looked up again, and their memory.
pub fn one_packet_flows_leave_nothing<B: Backend>(setup: Setup) {
    let table = PayloadTable::<B>::with_config(setup.config(FLOOD as usize));
    let empty = table.memory();
    for key in 0..FLOOD {
        drop(table.insert(NewFlow::new(key, [key; 16]).reply(FLOOD + key), at(0)).expect("there is room"));
    }
    let bound = bound(empty, table.memory());
    let report = table.reap(at(1_000_000), Budget::UNLIMITED);
    assert_eq!((report.expired, report.more, table.len()), (FLOOD as usize, false, 0));
    assert!(table.memory() <= bound, "{empty} bytes when empty, {} after {FLOOD} flows", table.memory());
}

/// A table under a flood of one-packet flows stays within its limit, and within the memory of two full tables,
/// because at most as many flows as the table may hold have made room and wait for a reap.
pub fn a_flood_stays_within_bounds<B: Backend>(setup: Setup) {
    const CAPACITY: u64 = 1_000;
    let table = PayloadTable::<B>::with_config(setup.exactly(CAPACITY as usize));
    let put = |key: u64, now| table.insert(NewFlow::new(key, [key; 16]).timeout(secs(5)), at(now)).is_ok();
    for key in 0..CAPACITY {
        assert!(put(key, 0), "there is room");
    }
    let full = table.memory();
    let (mut refused, mut reaped) = (0, 0);
    for key in CAPACITY..FLOOD {
        // 400 flows a second, of which half find room; a reap every five seconds.
        let now = key / 400;
        refused += u64::from(!put(key, now));
        let (held, dying) = (table.len() as u64, table.stats().dying as u64);
        assert!(held <= CAPACITY && dying <= CAPACITY, "{held} flows and {dying} that die");
        let bytes = if key % 500 == 0 { table.memory() } else { 0 };
        assert!(bytes <= 3 * full + RESERVE, "{bytes} bytes after {key} flows, {full} when full");
        if key % 2_000 == 1_999 {
            reaped += table.reap(at(now), Budget::UNLIMITED).expired as u64;
        }
    }
    assert!(refused > 0 && table.stats().refusals == refused);
    assert!(table.stats().inserts > 3 * CAPACITY, "the flood found room where flows were due");
    reaped += table.reap(Timestamp::MAX, Budget::UNLIMITED).expired as u64;
    assert_eq!(reaped + refused, FLOOD, "a flow was lost");
}

/// The hash of one key in a table.
fn digest<B: Backend>(config: TableConfig) -> u64 {
    let table = TestTable::<B>::with_config(config);
    let seen = Rc::new(RefCell::new(None));
    let first = Rc::clone(&seen);
    let probe = move |call| {
        if let Call::Hash { digest } = call {
            first.borrow_mut().get_or_insert(digest);
        }
    };
    drop(during(probe, || table.lookup(&TestKey::new(7), at(0))));
    let digest = *seen.borrow();
    digest.expect("a look-up hashes its key")
}

/// Each table hashes with its own seed. An injected seed is used.
pub fn hash_seeds_are_random<B: Backend>(setup: Setup) {
    let digests = [(); 4].map(|()| digest::<B>(setup.config(1)));
    assert!((1..4).all(|index| digests[index] != digests[0]), "two tables hash alike: {digests:x?}");
    let injected = [7, 7, 8].map(|seed| digest::<B>(setup.config(1).hash_seed(seed)));
    assert_eq!(injected[0], injected[1], "an injected seed makes hashes repeatable");
    assert_ne!(injected[0], injected[2]);
}

/// The counters say what happened.
pub fn counters_tell_what_happened<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 4);
    let empty = table.stats();
    assert_eq!((empty.flows, empty.inserts, empty.refusals, empty.ended.total()), (0, 0, 0, 0));
    assert!(empty.shards >= 1);
    let flows: Vec<_> = (0..4).map(|key| table.put(key, at(0))).collect();
    assert!(table.insert(table.flow(9), at(0)).is_err());
    drop(table.insert(table.flow(0), at(0)).expect("replaces"));
    assert_eq!(table.remove_flow(&flows[1]), Ok(true));
    drop(table.reinsert(&flows[1], at(0)).expect("there is room"));
    assert!(flows[2].cancel());
    drop(table.find(3, at(60)));
    let stats = table.stats();
    let ended = stats.ended;
    assert_eq!((stats.flows, stats.inserts, stats.refusals), (4, 6, 1));
    assert_eq!((ended.replaced, ended.removed, ended.cancelled, ended.expired), (1, 1, 1, 1));
    assert_eq!(stats.bytes, table.memory());
    assert!(!table.is_empty() && stats.flows == table.len());
}

/// `memory` follows the number of flows. `shrink_to_fit` loses nothing.
pub fn memory_follows_the_flows<B: Backend>(setup: Setup) {
    const LEFT: u64 = FLOOD / 20;
    let table = PayloadTable::<B>::with_config(setup.config(FLOOD as usize));
    (0..LEFT).for_each(|key| put::<B>(&table, key, secs(10)));
    let before = table.memory();
    (LEFT..FLOOD).for_each(|key| put::<B>(&table, key, secs(10)));
    let full = table.memory();
    let least = FLOOD as usize * size_of::<(u64, Payload)>();
    assert!(full >= least, "{full} bytes for flows whose keys and values alone take {least}");
    assert!((LEFT..FLOOD).all(|key| table.remove(&key).is_some()));
    table.shrink_to_fit();
    let after = table.memory();
    assert!(after <= bound(before, full), "{before} bytes before, {full} when full, {after} after that");
    for key in 0..FLOOD {
        let found = table.lookup(&key, at(0)).map(|flow| flow.value()[15]);
        assert_eq!(found, (key < LEFT).then_some(key));
    }
    assert_eq!(table.snapshot().iter().filter(|flow| flow.cancel()).count() as u64, LEFT);
}
