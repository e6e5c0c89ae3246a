//! Sleepers that register and look at the next deadline, against operations that bring it forward and ring.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Wake, Waker};

use flow_table_api::{Alarm, Timestamp};
use loom::thread;

use super::explore;
use crate::shard::DueTimes;
use crate::sync::{Ordering, fence};

/// When the sleeper wants to wake, and when the new work is due.
const UNTIL: Timestamp = Timestamp::from_nanos(100);
const EARLIER: Timestamp = Timestamp::from_nanos(50);

struct Table {
    due: DueTimes,
    alarm: Alarm,
}

/// Not one of loom's atomics: it is read when all threads have ended.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Table {
    /// Nobody sleeps and nothing is due before `UNTIL`, by sequentially consistent stores.
    fn settled() -> Arc<Self> {
        let table = Self { due: DueTimes::new(1), alarm: Alarm::new() };
        table.due.settle(0, Some(UNTIL));
        table.alarm.set(UNTIL, Waker::noop());
        table.alarm.ring(Timestamp::ZERO);
        Arc::new(table)
    }

    fn has_work(&self) -> bool {
        self.due.earliest().is_some_and(|next| next < UNTIL)
    }

    /// As `Table::poll_work` does. Returns `true` if there is work.
    fn poll(&self, waker: &Waker) -> bool {
        self.alarm.set(UNTIL, waker);
        fence(Ordering::SeqCst);
        self.has_work()
    }

    /// As an insertion does.
    fn work(&self) {
        self.due.lower(0, EARLIER);
        self.alarm.ring(EARLIER);
    }
}

/// Either the sleeper finds the work, or it is woken.
fn against(poll: fn(&Table, &Waker) -> bool, work: fn(&Table)) {
    explore(move || {
        let (table, bell) = (Table::settled(), Arc::new(Bell::default()));
        let sleeper = thread::spawn({
            let (table, waker) = (Arc::clone(&table), Arc::clone(&bell).into());
            move || poll(&table, &waker)
        });
        work(&table);
        let found = sleeper.join().unwrap();
        assert!(found || bell.0.load(Ordering::Relaxed), "it sleeps through the work");
    });
}

#[test]
fn no_work_is_slept_through() {
    against(Table::poll, Table::work);
}

#[test]
#[should_panic(expected = "sleeps through")]
fn looking_before_registering_is_refuted() {
    against(
        |table, waker| {
            let found = table.has_work();
            table.alarm.set(UNTIL, waker);
            found
        },
        Table::work,
    );
}

#[test]
#[should_panic(expected = "sleeps through")]
fn ringing_before_the_work_is_there_is_refuted() {
    against(Table::poll, |table| {
        table.alarm.ring(EARLIER);
        table.due.lower(0, EARLIER);
    });
}

/// Work that moves between the times and the dying, under a lock, while another thread looks for it in all ways.
fn is_always_found(begin: fn(&DueTimes), moves: fn(&DueTimes)) {
    explore(move || {
        let due = Arc::new(DueTimes::new(1));
        begin(&due);
        let seeker = thread::spawn({
            let due = Arc::clone(&due);
            move || (due.earliest(), due.due_shards(EARLIER), due.has_work(0, EARLIER))
        });
        moves(&due);
        let (earliest, shards, has_work) = seeker.join().unwrap();
        assert!(earliest.is_some_and(|time| time <= EARLIER) && shards == 1 && has_work, "it is overlooked");
    });
}

fn due(due: &DueTimes) {
    due.settle(0, Some(EARLIER));
}

fn dying(due: &DueTimes) {
    due.set_dying(0, true);
}

#[test]
fn what_begins_to_die_is_found() {
    is_always_found(due, |due| {
        due.set_dying(0, true);
        due.settle(0, None);
    });
}

#[test]
fn what_comes_back_from_the_dying_is_found() {
    is_always_found(dying, |due| {
        due.lower(0, EARLIER);
        due.set_dying(0, false);
    });
}

#[test]
#[should_panic(expected = "overlooked")]
fn hiding_it_before_it_dies_is_refuted() {
    is_always_found(due, |due| {
        due.settle(0, None);
        due.set_dying(0, true);
    });
}

#[test]
#[should_panic(expected = "overlooked")]
fn taking_it_from_the_dying_before_it_is_due_is_refuted() {
    is_always_found(dying, |due| {
        due.set_dying(0, false);
        due.lower(0, EARLIER);
    });
}
