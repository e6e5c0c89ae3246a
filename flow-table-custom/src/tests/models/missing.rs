//! A look-up that misses against whatever takes a flow's slot away while its key stays found: a new array of
//! buckets, and replacement.

use flow_table_api::state::FlowState;
use flow_table_api::{Direction, Timestamp};

use super::segment::{FOREVER, HASH, NEW, OLD, Table, against, against_all, slot};
use crate::index::LockedHalf;

/// The deadline that a flow had when it was in the table before.
const LONG_AGO: Timestamp = Timestamp::from_nanos(7);

/// More slots than a segment of one bucket has room for beside another.
const MANY: u32 = 9;

fn search(table: &Table) {
    assert!(table.search(Direction::Forward).is_some(), "missed");
}

/// One walk, whose miss nobody confirms.
fn find(table: &Table) {
    assert!(table.segment.find(HASH, |slot| table.is_active(slot).then_some(slot)).is_some(), "missed");
}

/// Grows; another segment takes the old array, for a flow with another key, which is not active in this model.
fn grow(table: &Table, mut half: LockedHalf) {
    table.segment.reserve(&mut half, MANY, &table.arrays, &table.arrays).unwrap();
    let mut others = LockedHalf::default();
    table.other.reserve(&mut others, 1, &table.arrays, &table.arrays).unwrap();
    table.other.insert(&mut others, HASH, NEW);
}

/// Grows and shrinks: the first array is the segment's again.
fn grow_and_shrink(table: &Table, mut half: LockedHalf) {
    table.segment.reserve(&mut half, MANY, &table.arrays, &table.arrays).unwrap();
    table.segment.shrink(&mut half, &table.arrays, &table.arrays);
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
fn replace_pair(table: &Table, half: &mut LockedHalf, steps: &[Step], deadline: Timestamp) {
    // Into the free slot before the old flow's, so that a look-up may meet the new one first.
    table.segment.insert(half, HASH, NEW);
    table.segment.insert(half, HASH, slot(0, Direction::Reply));
    table.segment.insert(half, HASH, slot(1, Direction::Reply));
    for step in steps {
        match step {
            Announce => table.switch.begin(OLD.entry(), NEW.entry(), deadline),
            Bump => table.segment.bump(half),
            End => drop(table.flows[0].detach()),
        }
    }
    table.flows[1].start(deadline);
    table.switch.end();
    table.segment.remove(half, HASH, OLD);
    table.segment.remove(half, HASH, slot(0, Direction::Reply));
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
    let replace = |table: &Table, mut half: LockedHalf| replace_pair(table, &mut half, steps, FOREVER);
    against(Some(switches), replace, search_pair);
}

#[test]
fn a_pair_is_replaced_as_a_whole() {
    while_replaced(3, &[Announce, Bump, End]);
}

/// Two look-ups at once, of a flow with one key: each may start the new one, and neither misses.
#[test]
fn a_flow_is_replaced_for_all() {
    let replace = |table: &Table, mut half: LockedHalf| {
        table.segment.insert(&mut half, HASH, NEW);
        table.switch.begin(OLD.entry(), NEW.entry(), FOREVER);
        table.segment.bump(&mut half);
        table.flows[0].detach();
        table.flows[1].start(FOREVER);
        table.switch.end();
        table.segment.remove(&mut half, HASH, OLD);
    };
    against_all(Some(2), replace, [search, search]);
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

/// The new flow goes again at once, and its first deadline was zero. A look-up that was about to start it comes
/// too late.
#[test]
fn a_flow_starts_once_in_its_life() {
    let replace = |table: &Table, mut half: LockedHalf| {
        replace_pair(table, &mut half, &[Announce, Bump, End], Timestamp::ZERO);
        table.flows[1].detach();
    };
    against(Some(3), replace, |table| {
        let found = table.search(Direction::Forward);
        if found.is_none() {
            assert!(!table.is_active(NEW), "it came back");
        }
    });
}

/// A third party ends the old flow by itself, as a look-up does that finds it due: until the new one starts
/// there may be none, but both are never found, and the new flow stays.
#[test]
fn a_flow_that_ends_while_it_is_replaced_is_replaced() {
    let replace = |table: &Table, mut half: LockedHalf| {
        replace_pair(table, &mut half, &[Announce, Bump, End], FOREVER);
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

/// How a flow displaces one that has expired and is held.
#[derive(Clone, Copy)]
struct Displacement {
    /// The new flow was in the table before.
    returns: bool,
    /// It is marked as one that has not started yet.
    prepare: bool,
    announce: bool,
    /// The version moves on before the old flow's slot is emptied, and after that.
    bumps: [bool; 2],
    /// The old flow's slot is filled at once, so that it is not even met by outdated tags, as where it stands
    /// in another bucket.
    refill: bool,
}

const NEW_FLOW: Displacement =
    Displacement { returns: false, prepare: true, announce: true, bumps: [true; 2], refill: false };
const RETURNING: Displacement = Displacement { returns: true, ..NEW_FLOW };

/// As `Core::install` does where nobody is live; the new flow ends at once, by `end`.
fn displace(table: &Table, mut half: LockedHalf, how: Displacement, end: fn(&FlowState)) {
    let [old, new] = &table.flows;
    old.expire(FOREVER);
    if how.returns {
        new.activate(LONG_AGO).unwrap();
        new.expire(FOREVER);
        if how.prepare {
            new.prepare();
        }
    }
    table.segment.insert(&mut half, HASH, NEW);
    if how.announce {
        table.switch.begin(NEW.entry(), NEW.entry(), FOREVER);
    }
    new.activate(FOREVER).unwrap();
    end(new);
    if how.bumps[0] {
        table.segment.bump(&mut half);
    }
    table.segment.remove(&mut half, HASH, OLD);
    if how.refill {
        table.segment.insert(&mut half, HASH, slot(2, Direction::Reply));
    }
    if how.bumps[1] {
        table.segment.bump(&mut half);
    }
    table.switch.end();
}

/// The old flow, then the new one, then none if that has ended for good: never the other way round, and the new
/// one not too early.
fn search_twice(table: &Table) {
    let age = |found| match found {
        Some(OLD) => 0,
        Some(_) => 1,
        None => 2,
    };
    let first = age(table.search(Direction::Forward));
    assert!(first != 1 || table.flows[1].load().deadline != LONG_AGO, "found before it has come back");
    assert!(age(table.search(Direction::Forward)) >= first, "a flow that was displaced comes back");
}

fn stays(_: &FlowState) {}

fn cancels(flow: &FlowState) {
    flow.cancel();
}

fn expires(flow: &FlowState) {
    flow.expire(FOREVER);
}

fn while_displaced(how: Displacement, end: fn(&FlowState), look: fn(&Table)) {
    against(Some(3), move |table, half| displace(table, half, how, end), look);
}

#[test]
fn a_flow_that_has_expired_is_found_until_another_has_its_key() {
    while_displaced(Displacement { refill: true, ..NEW_FLOW }, stays, search);
}

#[test]
#[should_panic(expected = "missed")]
fn displacing_a_flow_in_one_version_is_refuted() {
    while_displaced(Displacement { bumps: [false, true], refill: true, ..NEW_FLOW }, stays, search);
}

#[test]
fn a_displaced_flow_does_not_come_back_when_the_new_one_is_cancelled() {
    while_displaced(NEW_FLOW, cancels, search_twice);
}

#[test]
fn a_displaced_flow_does_not_come_back_when_the_new_one_expires() {
    while_displaced(NEW_FLOW, expires, search_twice);
}

#[test]
fn a_displaced_flow_does_not_come_back_when_one_that_returned_is_cancelled() {
    while_displaced(RETURNING, cancels, search_twice);
}

#[test]
fn a_displaced_flow_does_not_come_back_when_one_that_returned_expires() {
    while_displaced(RETURNING, expires, search_twice);
}

#[test]
#[should_panic(expected = "comes back")]
fn displacing_a_flow_unannounced_is_refuted() {
    while_displaced(Displacement { announce: false, ..NEW_FLOW }, cancels, search_twice);
}

#[test]
#[should_panic(expected = "comes back")]
fn displacing_a_flow_with_the_last_version_too_early_is_refuted() {
    while_displaced(Displacement { bumps: [true, false], ..NEW_FLOW }, cancels, search_twice);
}

#[test]
#[should_panic(expected = "before it has come back")]
fn a_flow_that_returns_unmarked_is_refuted() {
    while_displaced(Displacement { prepare: false, ..RETURNING }, expires, search_twice);
}

/// As `Core::install` where a live flow is replaced that a look-up at a later time expires meanwhile; the new
/// flow ends at once.
fn replace_ended(table: &Table, mut half: LockedHalf, last_bump: bool, end: fn(&FlowState)) {
    let [old, new] = &table.flows;
    table.segment.insert(&mut half, HASH, NEW);
    table.switch.begin(OLD.entry(), NEW.entry(), FOREVER);
    table.segment.bump(&mut half);
    old.expire(FOREVER);
    old.detach();
    new.start(FOREVER);
    end(new);
    table.segment.remove(&mut half, HASH, OLD);
    if last_bump {
        table.segment.bump(&mut half);
    }
    table.switch.end();
}

#[test]
fn a_replaced_flow_that_has_expired_does_not_come_back_when_the_new_one_is_cancelled() {
    against(Some(3), |table, half| replace_ended(table, half, true, cancels), search_twice);
}

#[test]
fn a_replaced_flow_that_has_expired_does_not_come_back_when_the_new_one_expires() {
    against(Some(3), |table, half| replace_ended(table, half, true, expires), search_twice);
}

#[test]
#[should_panic(expected = "comes back")]
fn replacing_a_flow_that_has_expired_without_a_last_version_is_refuted() {
    against(Some(3), |table, half| replace_ended(table, half, false, cancels), search_twice);
}
