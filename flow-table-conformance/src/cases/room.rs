//! A table with a free place refuses nothing while other operations leave the number of its flows unchanged.

use std::sync::atomic::{AtomicBool, Ordering};

use flow_table_api::{Admission, InsertError, ReinsertError, Status, Table};

use crate::fixture::{Fixture, TestKey, at, beside_call, race, rounds};
use crate::{Backend, Setup};

/// Flows that stay: the pairs (0, 100) to (7, 107).
const TAKEN: u64 = 8;

/// Finding a key, or a conflict, instead of inserting needs no place, not even for a moment.
pub fn hits_take_no_place<B: Backend>(setup: Setup) {
    beside::<B>(setup, |table, thread, round| {
        let key = round % TAKEN;
        let other = 200 + thread as u64;
        for found in [
            table.insert_if_absent(table.flow(key), at(0)),
            table.insert_if_absent(table.pair(other, 100 + key), at(0)),
            table.get_or_insert_with(table.spec(100 + key).reply(key.into()), at(0), || table.value()),
        ] {
            assert!(matches!(found, Ok(Admission::Existing { .. })), "{found:?} of a key that is there");
        }
        let refused = table.insert(table.pair(other, 100 + key), at(0));
        assert!(matches!(refused, Err(InsertError::Conflict { .. })), "{refused:?}");
        let active = table.find(key, at(0)).expect("live");
        assert_eq!(table.reinsert(&active, at(0)), Err(ReinsertError::Active));
    });
}

/// A flow that replaces another takes its place, and never a second place before that.
pub fn replacements_take_no_place<B: Backend>(setup: Setup) {
    beside::<B>(setup, |table, _, round| {
        let key = round % TAKEN;
        let inserted = table.insert(table.pair(key, 100 + key), at(0)).expect("replacing needs no room");
        assert!(inserted.replaced.is_some());
    });
}

/// A flow that waits for a reap and is put back has its place.
pub fn reinsertions_take_no_second_place<B: Backend>(setup: Setup) {
    beside::<B>(setup, |table, thread, _| {
        let held = table.find(thread as u64, at(0)).expect("live");
        assert_eq!(table.status_of(thread as u64, at(60)), Some(Status::Expired));
        drop(table.reinsert(&held, at(0)).expect("it waits in the table, in its place"));
    });
}

/// Runs `idle` in a table with one free place, while another thread takes and gives back the place: in each call
/// of `Eq` that `idle` makes, and at any moment.
fn beside<B: Backend>(setup: Setup, idle: impl Fn(&Fixture<B>, usize, u64) + Sync) {
    let table = Fixture::<B>::exactly(setup, TAKEN as usize + 1);
    for key in 0..TAKEN {
        drop(table.put_pair(key, 100 + key, at(0)));
    }
    let take_and_give_back = || {
        let inserted = table.insert(table.pair(50, 150), at(0));
        let displaced = inserted.as_ref().is_ok_and(|new| new.replaced.is_some()) || table.stats().dying > 0;
        let right = inserted.is_ok() && !displaced && table.len() as u64 <= TAKEN + 1;
        drop(table.remove(&TestKey::from(50)));
        (!right).then_some(inserted)
    };
    let assert_right = |wrong: Option<_>| assert!(wrong.is_none(), "{wrong:?} though there is a free place");
    for round in 0..TAKEN {
        let meet = |call| beside_call(call, || assert_right(take_and_give_back()), || idle(&table, 1, round));
        assert!((0..).any(meet), "it makes so many calls at most");
    }
    let done = AtomicBool::new(false);
    race(3, |thread| {
        if thread > 0 {
            // Relaxed: nothing else is read by it.
            (0..).take_while(|_| !done.load(Ordering::Relaxed)).for_each(|round| idle(&table, thread, round));
        } else {
            let wrong = (0..rounds(1_000)).find_map(|_| take_and_give_back());
            done.store(true, Ordering::Relaxed);
            assert_right(wrong);
        }
    });
    assert_eq!((table.len() as u64, table.stats().refusals), (TAKEN, 0));
}
