//! A look-up that misses against whatever takes a flow's slot away while its key stays found: a new array of
//! buckets, and replacement.

use flow_table_api::Direction;

use super::segment::{FOREVER, HASH, NEW, OLD, Table, against, slot};
use crate::segment::Owned;

/// More slots than a segment of one bucket has room for beside another.
const MANY: usize = 9;

fn search(table: &Table) {
    assert!(table.segment.search(HASH, table.visit(Direction::Forward)).is_some(), "missed");
}

/// One walk, whose miss nobody confirms.
fn find(table: &Table) {
    assert!(table.segment.find(HASH, |slot| table.is_active(slot).then_some(slot)).is_some(), "missed");
}

/// Grows; another segment takes the old array, for a flow with another key, which is not active in this model.
fn grow(table: &Table, mut owned: Owned) {
    table.segment.reserve(&mut owned, MANY, &table.arrays, &table.arrays).unwrap();
    let mut others = Owned::default();
    table.other.reserve(&mut others, 1, &table.arrays, &table.arrays).unwrap();
    table.other.insert(&mut others, HASH, NEW);
}

/// Grows and shrinks: the first array is the segment's again.
fn grow_and_shrink(table: &Table, mut owned: Owned) {
    table.segment.reserve(&mut owned, MANY, &table.arrays, &table.arrays).unwrap();
    table.segment.shrink(&mut owned, &table.arrays, &table.arrays);
}

#[test]
fn growth_hides_nothing() {
    against(None, grow, search);
}

#[test]
fn coming_back_to_an_array_hides_nothing() {
    against(Some(3), grow_and_shrink, search);
}

#[test]
#[should_panic(expected = "missed")]
fn an_unconfirmed_miss_during_growth_is_refuted() {
    against(None, grow, find);
}

/// As `Core::switch` does for two-key flows; the version is odd meanwhile if `waits`, as it must be.
fn replace_pair(table: &Table, mut owned: Owned, waits: bool) {
    table.segment.insert(&mut owned, HASH, slot(0, Direction::Reply));
    table.segment.insert(&mut owned, HASH, NEW);
    table.segment.insert(&mut owned, HASH, slot(1, Direction::Reply));
    if waits {
        table.segment.begin_switch(&mut owned);
    }
    table.flows[0].detach();
    table.flows[1].activate(FOREVER).unwrap();
    if waits {
        table.segment.end_switch(&mut owned);
    } else {
        table.segment.bump(&mut owned);
    }
    table.segment.remove(&mut owned, HASH, OLD);
    table.segment.remove(&mut owned, HASH, slot(0, Direction::Reply));
}

/// Whoever has found the new flow under one key finds it under the other.
fn search_pair(table: &Table) {
    let found = table.segment.search(HASH, table.visit(Direction::Forward)).expect("missed");
    if found == NEW {
        let reply = table.segment.search(HASH, table.visit(Direction::Reply));
        assert_eq!(reply, Some(slot(1, Direction::Reply)), "half a pair");
    }
}

#[test]
fn a_pair_is_replaced_as_a_whole() {
    against(Some(3), |table, owned| replace_pair(table, owned, true), search_pair);
}

#[test]
#[should_panic(expected = "missed")]
fn replacing_a_pair_without_waiting_is_refuted() {
    against(Some(3), |table, owned| replace_pair(table, owned, false), search_pair);
}
