//! Keys and values whose drops panic, several in a row, or use the table.
//!
//! A second panic while the first unwinds would end the process, and so would endless nesting.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use flow_table_dashmap::FlowTable;
use flow_table_dashmap::flow_table_api::{Budget, Burst, Ended, Flow, NewFlow, Table, Timestamp};

thread_local! {
    /// Whether drops panic.
    static ARMED: Cell<bool> = const { Cell::new(false) };
    /// Keys and values that have not been dropped.
    static LIVING: Cell<isize> = const { Cell::new(0) };
    /// The number of calls of a key's `Hash`, `Eq` or `Clone` before one panics.
    static FUSE: Cell<Option<usize>> = const { Cell::new(None) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
}

/// A key or a value that is counted, and panics in its drop if drops are armed.
#[derive(Debug)]
struct Bomb(u64);

impl Bomb {
    fn new(key: u64) -> Self {
        LIVING.set(LIVING.get() + 1);
        Self(key)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        LIVING.set(LIVING.get() - 1);
        if ARMED.get() {
            resume_unwind(Box::new("not shown: no panic hook runs"));
        }
    }
}

/// Panics if the fuse has burnt down.
fn burn() {
    if FUSE.take().is_some_and(|left| left.checked_sub(1).inspect(|left| FUSE.set(Some(*left))).is_none()) {
        resume_unwind(Box::new("not shown: no panic hook runs"));
    }
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        burn();
        Self::new(self.0)
    }
}

impl PartialEq for Bomb {
    fn eq(&self, other: &Self) -> bool {
        burn();
        self.0 == other.0
    }
}

impl Eq for Bomb {}

impl Hash for Bomb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        self.0.hash(state);
    }
}

type Bombs = FlowTable<Bomb, Bomb>;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn bomb(key: u64) -> NewFlow<Bomb, Bomb> {
    NewFlow::new(Bomb::new(key), Bomb::new(key)).reply(Bomb::new(key + 100)).timeout(Duration::from_secs(1))
}

/// A table with flows 0 to 3, each of two keys.
fn bombs() -> Bombs {
    let table = Bombs::new(4);
    for key in 0..4 {
        drop(table.insert(bomb(key), at(0)).expect("there is room"));
    }
    table
}

/// Returns `true` if `action` panics while all drops are armed.
fn panics(action: impl FnOnce()) -> bool {
    ARMED.set(true);
    let panicked = catch_unwind(AssertUnwindSafe(action)).is_err();
    ARMED.set(false);
    panicked
}

#[test]
fn every_part_of_a_flow_may_panic_as_it_is_dropped() {
    let table = bombs();
    let flow = table.lookup(&Bomb::new(0), at(0)).expect("live");
    let other = table.lookup(&Bomb::new(1), at(0)).expect("live");
    assert_eq!(table.remove_flow(&flow), Ok(true));
    assert_eq!(table.reap(at(1), Budget::UNLIMITED).expired, 3);
    // The keys of the slots are dropped with the flow that was reaped.
    for (flow, parts) in [(flow, 3), (other, 5)] {
        let before = LIVING.get();
        assert!(panics(|| drop(flow)));
        assert_eq!(before - LIVING.get(), parts);
    }
    drop(table);
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn all_values_may_panic_at_the_end_of_the_table() {
    let table = bombs();
    let held = table.lookup(&Bomb::new(0), at(0)).expect("live");
    assert!(panics(|| drop(table)));
    assert_eq!(LIVING.get(), 3, "key, reply key and value of the one that is held");
    assert!(panics(|| drop(held)));
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn all_values_may_panic_at_the_end_of_a_burst() {
    let table = bombs();
    let burst = table.burst(at(0));
    let keys: Vec<_> = (0..4).map(Bomb::new).collect();
    assert!(keys.iter().all(|key| burst.get(key).is_some()));
    assert_eq!(table.retain(|_| false), 4);
    assert!(panics(|| drop(burst)));
    drop(keys);
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn all_values_may_panic_when_a_visit_has() {
    let table = bombs();
    let visit = |_: &_| {
        ARMED.set(false);
        // From now on there are no other holders.
        (0..4).for_each(|key| drop(table.remove(&Bomb::new(key))));
        ARMED.set(true);
        resume_unwind(Box::new("not shown: no panic hook runs"));
    };
    assert!(panics(|| table.for_each(visit)));
    assert_eq!((table.len(), LIVING.get()), (0, 0));
}

#[test]
fn all_keys_and_values_may_panic_in_an_insertion() {
    let table = bombs();
    table.set_capacity(3);
    let (new, copies) = (bomb(10), LIVING.get());
    // Two flows make room. They wait for a reap, and no part of them is dropped.
    assert!(!panics(|| drop(table.insert(new, at(1)))));
    assert_eq!((table.len(), table.stats().dying, LIVING.get() - copies), (3, 2, 2));
    let (replacing, copies) = (bomb(10), LIVING.get());
    assert!(panics(|| drop(table.insert(replacing, at(1)))));
    assert_eq!(copies - LIVING.get(), 3, "the flow that was replaced");
    assert!(panics(|| drop(table)));
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn a_key_that_panics_keeps_no_record_from_a_reap() {
    let table = bombs();
    assert!(table.lookup(&Bomb::new(0), at(0)).is_some_and(|flow| flow.cancel()));
    let mut records = Vec::new();
    assert!(!panics(|| {
        let record = |ended: Ended<_>| records.push(ended.flow);
        assert_eq!(table.reap_with(at(1), Budget::UNLIMITED, record).visited(), 4);
    }));
    assert_eq!(records.iter().map(|flow| flow.value().0).sum::<u64>(), 1 + 2 + 3);
    assert_eq!(records.len(), 4);
    drop((records, table));
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn all_parts_of_a_flow_may_panic_if_a_key_has_while_it_was_inserted() {
    let table = bombs();
    for calls in 0.. {
        let (new, living) = (bomb(2), LIVING.get());
        FUSE.set(Some(calls));
        assert!(
            panics(|| drop(table.insert(new, at(0)))),
            "at the latest when the copies of the keys are dropped"
        );
        let burnt = FUSE.take().is_none();
        assert_eq!((living - LIVING.get(), table.len()), (3, 4), "call {calls}: one flow has gone");
        if !burnt {
            break;
        }
        assert_eq!(table.stats().ended.replaced, 0, "call {calls}");
    }
    assert_eq!(table.stats().ended.replaced, 1);
    drop(table);
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn dying_flows_are_dropped_with_the_table() {
    let table = bombs();
    let held = table.lookup(&Bomb::new(0), at(0)).expect("live");
    for key in 10..13 {
        drop(table.insert(bomb(key), at(1)).expect("one makes room"));
    }
    assert_eq!((table.len(), table.stats().dying), (4, 3));
    drop((held, table));
    assert_eq!(LIVING.get(), 0);
}

/// A value whose drop drops others, and records how deeply this is nested.
struct Chained(Box<dyn Fn() + Send + Sync>);

impl Drop for Chained {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() + 1);
        DEEPEST.set(DEEPEST.get().max(DEPTH.get()));
        (self.0)();
        DEPTH.set(DEPTH.get() - 1);
        LIVING.set(LIVING.get() - 1);
    }
}

type Chain = FlowTable<u64, Chained>;

fn chained(key: u64, end: impl Fn() + Send + Sync + 'static) -> NewFlow<u64, Chained> {
    LIVING.set(LIVING.get() + 1);
    NewFlow::new(key, Chained(Box::new(end))).timeout(Duration::from_secs(1))
}

/// A table full of flows whose values call `end` with the table in their drops.
fn chain(end: impl Fn(&Chain) + Clone + Send + Sync + 'static) -> Arc<Chain> {
    let table = Arc::new(Chain::new(5_000));
    for key in 0..5_000 {
        let (weak, end) = (Arc::downgrade(&table), end.clone());
        let end = move || drop(weak.upgrade().inspect(|table| end(table)));
        drop(table.insert(chained(key, end), at(0)).expect("there is room"));
    }
    table
}

fn reap(table: &Chain) {
    table.reap(at(1), Budget::UNLIMITED);
}

fn assert_nested_a_little(living: isize) {
    assert_eq!(LIVING.get(), living, "dropped by the outermost, at the latest");
    let deepest = DEEPEST.take();
    assert!((2..=100).contains(&deepest), "{deepest} deep");
}

#[test]
fn values_that_reap_are_not_nested_without_bound() {
    let table = chain(reap);
    assert_eq!(table.reap(at(1), Budget::flows(1)).expired, 1);
    assert_nested_a_little(0);
}

#[test]
fn values_that_replace_others_are_not_nested_without_bound() {
    let insert = |table: &Chain| {
        // The last one replaces nothing, and is refused.
        let next = table.stats().ended.replaced;
        drop(table.insert(chained(next, || {}), at(0)));
    };
    insert(&chain(insert));
    assert_nested_a_little(0);
}

#[test]
fn flows_that_are_dropped_deep_within_drops_of_another_table_are_dropped_too() {
    let inner = chain(reap);
    let outer = chain({
        let inner = Arc::clone(&inner);
        move |outer| {
            reap(outer);
            reap(&inner);
        }
    });
    reap(&outer);
    assert_nested_a_little(0);
}
