//! An insertion into an entry that a look-up still knows from its last flow.

use flow_table_api::{Direction, Status, Timestamp};

use super::segment::{HASH, OLD, Table, against};
use crate::index::LockedHalf;
use crate::sync::{Ordering, fence};

/// The flow goes, and another one with the same key comes into its entry, as `Core::insert` puts it
/// there: `start` fills its slot and makes it active. A look-up that has found it once, perhaps by its old
/// slot, finds it again.
fn against_reuse(start: fn(&Table, &mut LockedHalf)) {
    let reuse = move |table: &Table, mut half: LockedHalf| {
        table.flows[0].detach();
        table.segment.remove(&mut half, HASH, OLD);
        table.flows[0].reset(Status::Detached, Timestamp::ZERO);
        start(table, &mut half);
    };
    against(None, reuse, search_twice);
}

const SECOND: Timestamp = Timestamp::from_nanos(2);

fn occupy(table: &Table, half: &mut LockedHalf) {
    let place = table.segment.vacancy(half, HASH).expect("there is room");
    table.segment.occupy(half, HASH, place, OLD);
}

fn search_twice(table: &Table) {
    let search = || table.search(Direction::Forward).map(|_| table.flows[0].load().deadline);
    if search() == Some(SECOND) {
        assert_eq!(search(), Some(SECOND), "missed");
    }
}

#[test]
fn a_flow_that_was_found_is_found_again() {
    against_reuse(|table, half| {
        occupy(table, half);
        fence(Ordering::Release);
        table.flows[0].reset(Status::Active, SECOND);
    });
}

#[test]
#[should_panic(expected = "missed")]
fn starting_a_flow_before_its_slot_is_refuted() {
    against_reuse(|table, half| {
        fence(Ordering::Release);
        table.flows[0].reset(Status::Active, SECOND);
        occupy(table, half);
    });
}

#[test]
#[should_panic(expected = "missed")]
fn starting_a_flow_without_release_is_refuted() {
    against_reuse(|table, half| {
        occupy(table, half);
        table.flows[0].reset(Status::Active, SECOND);
    });
}
