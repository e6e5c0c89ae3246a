//! Histories that the checker must accept, and histories that it must refuse.

use std::collections::BTreeMap;
use std::time::Duration;

use flow_table_api::{Direction, EndReason, OnExpiry, ReapReport, Stats, Status, Timestamp};

use super::{Event, History, explain};
use crate::fixture::{at, secs};
use crate::model::{Admitted, End, FlowId, Op, Outcome, Refusal, Sight, Spec, View};

type Did = (Op, Outcome);

const TIMEOUT: Duration = secs(60);

fn spec(id: usize, key: u64, reply: Option<u64>) -> Spec {
    Spec { id: FlowId(id), key, reply, timeout: TIMEOUT, on_expiry: OnExpiry::Remove }
}

const fn new(replaced: Option<usize>) -> Outcome {
    let replaced = match replaced {
        Some(id) => Some(FlowId(id)),
        None => None,
    };
    Outcome::Inserted(Ok(Admitted::New { replaced }))
}

fn existing(id: usize, rejected: bool) -> Outcome {
    let (direction, key) = (Direction::Forward, Direction::Forward);
    Outcome::Inserted(Ok(Admitted::Existing { holder: FlowId(id), direction, key, rejected }))
}

fn insert(id: usize, key: u64, replaced: Option<usize>) -> Did {
    (Op::Insert { flow: spec(id, key, None), now: at(0) }, new(replaced))
}

fn insert_pair(id: usize, keys: (u64, u64), replaced: Option<usize>) -> Did {
    (Op::Insert { flow: spec(id, keys.0, Some(keys.1)), now: at(0) }, new(replaced))
}

fn if_absent(id: usize, key: u64, seen: Outcome) -> Did {
    (Op::InsertIfAbsent { flow: spec(id, key, None), now: at(0) }, seen)
}

fn found(key: u64, now: u64, id: usize, direction: Direction, status: Status) -> Did {
    let sight = Sight { flow: FlowId(id), direction, status };
    (Op::Lookup { key, now: at(now) }, Outcome::Found(Some(sight)))
}

fn find(key: u64, id: usize) -> Did {
    found(key, 0, id, Direction::Forward, Status::Active)
}

fn miss(key: u64, now: u64) -> Did {
    (Op::Lookup { key, now: at(now) }, Outcome::Found(None))
}

fn remove(key: u64, id: Option<usize>) -> Did {
    (Op::Remove { key }, Outcome::Removed(id.map(|id| (FlowId(id), Direction::Forward))))
}

const fn cancel(id: usize, granted: bool) -> Did {
    (Op::Cancel { flow: FlowId(id) }, Outcome::Granted(granted))
}

const fn refresh(id: usize, now: u64, granted: bool) -> Did {
    (Op::Refresh { flow: FlowId(id), now: at(now) }, Outcome::Granted(granted))
}

fn set_timeout(id: usize, seconds: u64, result: Result<(), Status>) -> Did {
    (Op::SetTimeout { flow: FlowId(id), timeout: secs(seconds), now: at(0) }, Outcome::Set(result))
}

fn reap(now: Timestamp, expired: &[usize], cancelled: &[usize]) -> Did {
    let end = |reason| move |&id: &usize| End { flow: FlowId(id), reason };
    let ended = expired.iter().map(end(EndReason::Expired)).chain(cancelled.iter().map(end(EndReason::Cancelled)));
    let report = ReapReport { expired: expired.len(), cancelled: cancelled.len(), ..ReapReport::default() };
    (Op::Reap { now, budget: usize::MAX, local: false }, Outcome::Reaped { ended: ended.collect(), report })
}

/// What threads did when, and what a reap in the end hands over as expired.
fn history(did: &[(Did, usize, usize)], left: &[usize]) -> History {
    let last = (reap(Timestamp::MAX, left, &[]), 1_000, 1_001);
    let event = |(thread, ((op, seen), began, ended)): (usize, &(Did, usize, usize))| Event {
        thread,
        op: *op,
        seen: seen.clone(),
        began: *began,
        ended: *ended,
    };
    let events: Vec<_> = did.iter().chain([&last]).enumerate().map(event).collect();
    let count = |counts: fn(&Event) -> bool| events.iter().filter(|event| counts(event)).count() as u64;
    let inserts = count(|event| event.installed().is_some());
    let mut ended = Stats::new().ended;
    ended.cancelled =
        count(|event| matches!((event.op, &event.seen), (Op::Cancel { .. }, Outcome::Granted(true))));
    ended.removed = count(|event| matches!(event.seen, Outcome::Removed(Some(_))));
    ended.replaced =
        count(|event| matches!(event.seen, Outcome::Inserted(Ok(Admitted::New { replaced: Some(_) }))));
    ended.expired = inserts.saturating_sub(ended.total());
    let end = View {
        len: 0,
        dying: 0,
        inserts,
        refusals: 0,
        ended,
        next_deadline: None,
        held: BTreeMap::new(),
        dropped: BTreeMap::new(),
    };
    History { events, capacity: 100, end }
}

fn is_explained(did: &[(Did, usize, usize)], left: &[usize]) -> bool {
    explain(&history(did, left)).is_ok()
}

#[test]
fn overlapping_operations_may_come_in_either_order() {
    for look in [miss(1, 0), find(1, 0)] {
        assert!(is_explained(&[(insert(0, 1, None), 0, 3), (look, 1, 2)], &[0]));
    }
    assert!(is_explained(&[(insert(0, 1, None), 0, 5), (miss(1, 0), 1, 2), (find(1, 0), 3, 4)], &[0]));
    for look in [find(1, 0), find(1, 1)] {
        assert!(is_explained(&[(insert(0, 1, None), 0, 1), (insert(1, 1, Some(0)), 2, 5), (look, 3, 4)], &[1]));
    }
    assert!(is_explained(&[(insert(0, 1, None), 0, 3), (remove(1, Some(0)), 1, 4), (miss(1, 0), 5, 6)], &[]));
}

#[test]
fn no_operation_comes_before_one_that_had_ended() {
    assert!(!is_explained(&[(insert(0, 1, None), 0, 1), (miss(1, 0), 2, 3)], &[0]), "there throughout");
    assert!(!is_explained(&[(insert(0, 1, None), 0, 5), (find(1, 0), 1, 2), (miss(1, 0), 3, 4)], &[0]));
    let replaced = [(insert(0, 1, None), 0, 1), (insert(1, 1, Some(0)), 2, 7)];
    let looks = [(find(1, 1), 3, 4), (find(1, 0), 5, 6)];
    assert!(!is_explained(&[&replaced[..], &looks].concat(), &[1]), "the old one after the new one");
    let gap = [(find(1, 0), 3, 4), (miss(1, 0), 5, 6)];
    assert!(!is_explained(&[&replaced[..], &gap].concat(), &[1]), "a replaced key is never missing");
}

#[test]
fn one_insertion_wins() {
    let both = |first, second| [(if_absent(0, 1, first), 0, 2), (if_absent(1, 1, second), 1, 3)];
    assert!(is_explained(&both(new(None), existing(0, true)), &[0]));
    assert!(is_explained(&both(existing(1, true), new(None)), &[1]));
    assert!(!is_explained(&both(new(None), new(None)), &[0, 1]), "two installs of one key");
    assert!(!is_explained(&both(existing(1, true), existing(0, true)), &[]));
    let lost = [(insert(0, 1, None), 0, 2), (insert(1, 1, None), 1, 3)];
    assert!(!is_explained(&lost, &[0, 1]), "one of two insertions got lost");
}

#[test]
fn a_miss_may_have_passed_by_the_time_of_the_insertion() {
    let flow = spec(1, 1, None);
    let late = (Op::GetOrInsertWith { flow, now: at(0) }, existing(0, true));
    assert!(is_explained(&[(late.clone(), 0, 3), (insert(0, 1, None), 1, 2)], &[0]));
    assert!(!is_explained(&[(late, 0, 1), (insert(0, 1, None), 2, 3)], &[0]));
}

#[test]
fn what_was_removed_stays_away() {
    let gone = |look| [(insert(0, 1, None), 0, 1), (remove(1, Some(0)), 2, 3), (look, 4, 5)];
    assert!(is_explained(&gone(miss(1, 0)), &[]));
    assert!(!is_explained(&gone(find(1, 0)), &[]), "a stale look-up");
    assert!(!is_explained(&gone(remove(1, Some(0))), &[]), "removed twice");
    assert!(!is_explained(&gone(cancel(0, true)), &[]), "ended twice");
}

#[test]
fn time_expires_flows_for_everybody() {
    let due = |look| [(insert(0, 1, None), 0, 1), (look, 2, 3)];
    assert!(is_explained(&due(miss(1, 60)), &[0]));
    let late = found(1, 60, 0, Direction::Forward, Status::Active);
    assert!(!is_explained(&due(late), &[0]), "an expired flow is found as active");
    let expired = |refresh| [(insert(0, 1, None), 0, 1), (miss(1, 60), 2, 3), (refresh, 4, 5)];
    assert!(is_explained(&expired(refresh(0, 59, false)), &[0]), "at an older time");
    assert!(!is_explained(&expired(refresh(0, 59, true)), &[0]), "a refresh granted after the expiry");
    let refreshed = [(insert(0, 1, None), 0, 1), (refresh(0, 30, true), 2, 3)];
    let look = |now| [&refreshed[..], &[(miss(1, now), 4, 5)]].concat();
    assert!(is_explained(&look(90), &[0]));
    assert!(!is_explained(&look(89), &[0]), "a refresh that was not honoured");
    let sooner = [(insert(0, 1, None), 0, 1), (set_timeout(0, 5, Ok(())), 2, 3)];
    let look = |now| [&sooner[..], &[(found(1, now, 0, Direction::Forward, Status::Active), 4, 5)]].concat();
    assert!(is_explained(&look(4), &[0]));
    assert!(!is_explained(&look(5), &[0]), "a shorter timeout that had no effect");
}

#[test]
fn the_status_of_what_was_found_may_be_read_later() {
    let cancelled = found(1, 0, 0, Direction::Forward, Status::Cancelled);
    let read = |from, to| [(insert(0, 1, None), 0, 1), (cancelled.clone(), 2, 5), (cancel(0, true), from, to)];
    let rest = |did: &[_]| [did, &[(reap(at(0), &[], &[0]), 8, 9)]].concat();
    assert!(is_explained(&rest(&read(3, 4)), &[]));
    assert!(!is_explained(&rest(&read(6, 7)), &[]));
}

#[test]
fn pairs_appear_and_go_as_a_whole() {
    let other = |direction| found(2, 0, 0, direction, Status::Active);
    let pair = (insert_pair(0, (1, 2), None), 0, 5);
    assert!(is_explained(&[pair.clone(), (miss(2, 0), 1, 2), (find(1, 0), 3, 4)], &[0]));
    assert!(is_explained(&[pair.clone(), (find(1, 0), 1, 2), (other(Direction::Reply), 3, 4)], &[0]));
    assert!(!is_explained(&[pair.clone(), (find(1, 0), 1, 2), (miss(2, 0), 3, 4)], &[0]), "half a pair");
    assert!(!is_explained(&[pair.clone(), (other(Direction::Forward), 6, 7)], &[0]), "the wrong direction");
    let removed = [pair, (remove(1, Some(0)), 6, 11), (miss(1, 0), 7, 8)];
    let look = |look| [&removed[..], &[(look, 9, 10)]].concat();
    assert!(is_explained(&look(miss(2, 0)), &[]));
    assert!(!is_explained(&look(other(Direction::Reply)), &[]), "half a pair is left");
}

#[test]
fn keys_that_two_flows_do_not_share_may_change_hands_one_by_one() {
    let did = [(insert_pair(0, (1, 2), None), 0, 1), (insert_pair(1, (1, 3), Some(0)), 2, 9), (miss(2, 0), 3, 4)];
    let looks = |at_3, at_1| [&did[..], &[(at_3, 5, 6), (at_1, 7, 8)]].concat();
    assert!(is_explained(&looks(miss(3, 0), find(1, 1)), &[1]));
    assert!(!is_explained(&looks(miss(3, 0), miss(1, 0)), &[1]), "the key that they share has no gap");
}

#[test]
fn each_end_is_counted_and_handed_over_once() {
    let cancelled = [(insert(0, 1, None), 0, 1), (cancel(0, true), 2, 3)];
    let then = |did: &[_]| [&cancelled[..], did].concat();
    let good = then(&[(reap(at(0), &[], &[0]), 4, 5)]);
    assert!(is_explained(&good, &[]));
    assert!(!is_explained(&then(&[(reap(at(0), &[], &[0]), 4, 6), (reap(at(0), &[], &[0]), 5, 7)]), &[]));
    assert!(!is_explained(&then(&[(reap(at(0), &[0], &[]), 4, 5)]), &[]), "for the wrong reason");
    assert!(!is_explained(&then(&[(reap(at(0), &[], &[]), 4, 5)]), &[]), "the reap left it");
    assert!(!is_explained(&then(&[]), &[]), "never handed over");
    let mut counted_twice = history(&good, &[]);
    counted_twice.end.ended.cancelled += 1;
    assert!(explain(&counted_twice).is_err());
    let due = |did: Did| [(insert(0, 1, None), 0, 1), (did, 2, 3)];
    assert!(is_explained(&due(reap(at(60), &[0], &[])), &[]));
    assert!(!is_explained(&due(reap(at(60), &[], &[])), &[0]), "nothing left, it says");
    assert!(!is_explained(&due(reap(at(59), &[0], &[])), &[]), "not due");
}

#[test]
fn walks_visit_what_is_there_throughout() {
    let visited = |ids: &[usize]| (Op::ForEach, Outcome::Visited(ids.iter().copied().map(FlowId).collect()));
    let did = |ids| [(insert(0, 1, None), 0, 1), (insert(1, 2, None), 2, 5), (visited(ids), 3, 4)];
    assert!(is_explained(&did(&[0]), &[0, 1]));
    assert!(is_explained(&did(&[0, 1]), &[0, 1]));
    assert!(!is_explained(&did(&[1]), &[0, 1]));
    assert!(!is_explained(&did(&[0, 0]), &[0, 1]));
}

#[test]
fn refused_insertions_tell_the_truth() {
    let refused = |holder| {
        let (holder, direction, key) = (FlowId(holder), Direction::Forward, Direction::Reply);
        let seen = Outcome::Inserted(Err(Refusal::Conflict { holder, direction, key }));
        (Op::Insert { flow: spec(9, 5, Some(1)), now: at(0) }, seen)
    };
    let did = |refused| [(insert(0, 1, None), 0, 1), (refused, 2, 3)];
    assert!(is_explained(&did(refused(0)), &[0]));
    assert!(!is_explained(&[(refused(0), 0, 1), (insert(0, 1, None), 2, 3)], &[0]), "nobody had the key yet");
}

fn in_a_table_for(capacity: usize, did: &[(Did, usize, usize)], left: &[usize]) -> bool {
    let mut history = history(did, left);
    for event in &mut history.events {
        if let Outcome::Inserted(Err(Refusal::Full { capacity: told })) = &mut event.seen {
            *told = capacity;
            history.end.refusals += 1;
        }
    }
    explain(&History { capacity, ..history }).is_ok()
}

fn refused(id: usize, key: u64, now: u64) -> Did {
    let flow = spec(id, key, None);
    (Op::Insert { flow, now: at(now) }, Outcome::Inserted(Err(Refusal::Full { capacity: 0 })))
}

fn insert_at(id: usize, key: u64, now: u64) -> Did {
    (Op::Insert { flow: spec(id, key, None), now: at(now) }, new(None))
}

#[test]
fn a_full_table_refuses_and_no_other() {
    let two = [(insert(0, 1, None), 0, 1), (insert(1, 2, None), 2, 3)];
    let then = |did: &[_]| [&two[..], did].concat();
    let third = |from, to| (refused(2, 3, 0), from, to);
    assert!(in_a_table_for(2, &then(&[third(4, 5)]), &[0, 1]));
    assert!(!in_a_table_for(3, &then(&[third(4, 5)]), &[0, 1]), "there is a place");
    assert!(!in_a_table_for(2, &then(&[(refused(2, 1, 0), 4, 5)]), &[0, 1]), "replacing needs none");
    let removed = |from, to| (remove(1, Some(0)), from, to);
    assert!(in_a_table_for(2, &then(&[removed(4, 7), third(5, 6)]), &[1]), "not gone yet, perhaps");
    assert!(!in_a_table_for(2, &then(&[removed(4, 5), third(6, 7)]), &[1]), "gone");
    let later = [two[0].clone(), (insert(1, 2, None), 2, 5), third(3, 4)];
    assert!(in_a_table_for(2, &later, &[0, 1]), "there by then, perhaps");
    assert!(
        !in_a_table_for(2, &[two[0].clone(), third(2, 3), (insert(1, 2, None), 4, 5)], &[0, 1]),
        "not there yet"
    );
}

#[test]
fn a_full_table_refuses_nothing_while_something_is_due() {
    let one = (insert(0, 1, None), 0, 1);
    assert!(in_a_table_for(1, &[one.clone(), (refused(1, 2, 59), 2, 3)], &[0]));
    assert!(!in_a_table_for(1, &[one.clone(), (refused(1, 2, 60), 2, 3)], &[0]), "it is due");
    let refreshed = (refresh(0, 30, true), 2, 3);
    assert!(in_a_table_for(1, &[one.clone(), refreshed.clone(), (refused(1, 2, 60), 4, 5)], &[0]));
    assert!(!in_a_table_for(1, &[one.clone(), refreshed, (refused(1, 2, 90), 4, 5)], &[0]), "it is due");
    let reaped = (reap(at(0), &[], &[0]), 6, 7);
    let cancelled = [one.clone(), (cancel(0, true), 2, 3), (refused(1, 2, 0), 4, 5), reaped.clone()];
    assert!(!in_a_table_for(1, &cancelled, &[]), "it may go");
    let meanwhile = [one.clone(), (cancel(0, true), 2, 5), (refused(1, 2, 0), 3, 4), reaped];
    assert!(in_a_table_for(1, &meanwhile, &[]), "not cancelled yet, perhaps");
    // As many as may die do.
    let dying = [one, (insert_at(1, 2, 60), 2, 3), (refused(2, 3, 120), 4, 5)];
    assert!(in_a_table_for(1, &dying, &[0, 1]));
}

#[test]
fn room_is_made_by_insertions_of_any_key() {
    let made = [(insert(0, 1, None), 0, 1), (insert_at(1, 2, 60), 2, 3)];
    let then = |did: Did| [&made[..], &[(did, 4, 5)]].concat();
    assert!(in_a_table_for(1, &then(refresh(0, 59, false)), &[0, 1]), "it has expired");
    assert!(in_a_table_for(1, &then(miss(1, 0)), &[0, 1]));
    assert!(!in_a_table_for(2, &then(refresh(0, 59, false)), &[0, 1]), "no room was needed");
    let both = [&then(find(1, 0))[..], &[(found(2, 60, 1, Direction::Forward, Status::Active), 6, 7)]].concat();
    assert!(!in_a_table_for(1, &both, &[0, 1]), "two flows in one place");
    let early = [(insert(0, 1, None), 0, 1), (refresh(0, 59, false), 2, 3), (insert_at(1, 2, 60), 4, 5)];
    assert!(!in_a_table_for(1, &early, &[0, 1]), "the insertion came later");
}

#[test]
fn the_limit_is_never_exceeded() {
    let three = [(insert(0, 1, None), 0, 1), (insert(1, 2, None), 2, 3), (insert(2, 3, None), 4, 5)];
    let all = |looks: &[_]| [&three[..], looks].concat();
    let looks = [(find(1, 0), 6, 7), (find(2, 1), 8, 9), (find(3, 2), 10, 11)];
    assert!(in_a_table_for(3, &all(&looks), &[0, 1, 2]));
    assert!(!in_a_table_for(2, &all(&looks), &[0, 1, 2]));
}
