//! A look-up that misses against whatever takes a flow's slot away while its key stays found: a new array of
//! buckets, and replacement.

use flow_table_api::{Direction, Timestamp};

use super::segment::{FOREVER, HASH, NEW, OLD, Table, against, against_all, slot};
use crate::index::segment::Owned;

/// More slots than a segment of one bucket has room for beside another.
const MANY: usize = 9;

fn search(table: &Table) {
    assert!(table.search(Direction::Forward).is_some(), "missed");
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

/// The steps of `Core::install` that replace a pair, in the order in which a model takes them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Announce,
    Bump,
    End,
}

use Step::{Announce, Bump, End};

/// As `Core::install` does for two-key flows; `deadline` is the new flow's.
fn replace_pair(table: &Table, owned: &mut Owned, steps: &[Step], deadline: Timestamp) {
    // Into the free slot before the old flow's, so that a look-up may meet the new one first.
    table.segment.insert(owned, HASH, NEW);
    table.segment.insert(owned, HASH, slot(0, Direction::Reply));
    table.segment.insert(owned, HASH, slot(1, Direction::Reply));
    for step in steps {
        match step {
            Announce => table.switch.begin(OLD.entry(), NEW.entry(), deadline),
            Bump => table.segment.bump(owned),
            End => drop(table.flows[0].detach()),
        }
    }
    table.flows[1].start(deadline);
    table.switch.end();
    table.segment.remove(owned, HASH, OLD);
    table.segment.remove(owned, HASH, slot(0, Direction::Reply));
}

/// Whoever has found the new flow under one key finds it under the other, and the old one has ended.
fn search_pair(table: &Table) {
    let found = table.search(Direction::Forward).expect("missed");
    if found == NEW {
        assert!(!table.is_active(OLD), "two at once");
        let reply = table.search(Direction::Reply);
        assert_eq!(reply, Some(slot(1, Direction::Reply)), "half a pair");
    }
}

fn while_replaced(switches: usize, steps: &'static [Step]) {
    let replace = |table: &Table, mut owned: Owned| replace_pair(table, &mut owned, steps, FOREVER);
    against(Some(switches), replace, search_pair);
}

#[test]
fn a_pair_is_replaced_as_a_whole() {
    while_replaced(3, &[Announce, Bump, End]);
}

/// Two look-ups at once: each may start the new flow.
#[test]
fn a_pair_is_replaced_as_a_whole_for_all() {
    let replace = |table: &Table, mut owned: Owned| {
        replace_pair(table, &mut owned, &[Announce, Bump, End], FOREVER);
    };
    against_all(Some(2), replace, [search_pair, search_pair]);
}

#[test]
#[should_panic(expected = "missed")]
fn replacing_a_pair_unannounced_is_refuted() {
    while_replaced(3, &[Bump, End]);
}

#[test]
#[should_panic(expected = "missed")]
fn announcing_a_replacement_after_the_end_is_refuted() {
    while_replaced(3, &[Bump, End, Announce]);
}

#[test]
#[should_panic(expected = "missed")]
fn replacing_a_pair_in_one_version_is_refuted() {
    while_replaced(3, &[Announce, End]);
}

#[test]
#[should_panic(expected = "missed")]
fn moving_the_version_after_the_end_is_refuted() {
    while_replaced(3, &[Announce, End, Bump]);
}

/// The new flow goes again at once, and its first deadline was zero. A look-up that was about to start it comes too late.
#[test]
fn a_flow_starts_once_in_its_life() {
    let replace = |table: &Table, mut owned: Owned| {
        replace_pair(table, &mut owned, &[Announce, Bump, End], Timestamp::ZERO);
        table.flows[1].detach();
    };
    against(Some(3), replace, |table| {
        let found = table.search(Direction::Forward);
        if found.is_none() {
            assert!(!table.is_active(NEW), "it came back");
        }
    });
}

/// A third party ends the old flow by itself, as a look-up does that finds it due: until the new one starts there may be none, but
/// both are never found, and the new flow stays.
#[test]
fn a_flow_that_ends_while_it_is_replaced_is_replaced() {
    let replace = |table: &Table, mut owned: Owned| {
        replace_pair(table, &mut owned, &[Announce, Bump, End], FOREVER);
        assert!(table.is_active(NEW));
    };
    let expire = |table: &Table| {
        table.flows[0].expire(FOREVER);
    };
    let look = |table: &Table| {
        if table.search(Direction::Forward) == Some(NEW) {
            assert!(!table.is_active(OLD), "two at once");
            let reply = table.search(Direction::Reply);
            assert_eq!(reply, Some(slot(1, Direction::Reply)), "half a pair");
        }
    };
    against_all(Some(2), replace, [expire, look]);
}

/// A flow has expired and is held; a new one takes its key, and then another flow its slot.
fn displace(table: &Table, mut owned: Owned, bump: bool) {
    table.flows[0].expire(FOREVER);
    table.segment.insert(&mut owned, HASH, NEW);
    table.flows[1].activate(FOREVER).unwrap();
    if bump {
        table.segment.bump(&mut owned);
    }
    table.segment.remove(&mut owned, HASH, OLD);
    table.segment.insert(&mut owned, HASH, slot(2, Direction::Reply));
}

#[test]
fn a_flow_that_has_expired_is_found_until_another_has_its_key() {
    against(Some(3), |table, owned| displace(table, owned, true), search);
}

#[test]
#[should_panic(expected = "missed")]
fn displacing_a_flow_in_one_version_is_refuted() {
    against(Some(3), |table, owned| displace(table, owned, false), search);
}
