//! Reserving room for a flow, against the limit, and against threads that give room back.

use std::sync::Arc;

use loom::thread;

use super::explore;
use crate::shard::Capacity;
use crate::sync::{AtomicUsize, Ordering};

/// A table for one flow. `present` is how many flows are in it.
struct Table {
    capacity: Capacity,
    present: AtomicUsize,
}

impl Table {
    fn new() -> Arc<Self> {
        Arc::new(Self { capacity: Capacity::new(1), present: AtomicUsize::new(0) })
    }

    fn install(&self) {
        let before = self.present.fetch_add(1, Ordering::Relaxed);
        assert!(before < 1, "more flows than the limit");
    }

    fn let_go(&self) {
        self.present.fetch_sub(1, Ordering::Relaxed);
    }

    /// As an insertion and a reap do.
    fn come_and_go(&self) -> bool {
        let reserved = self.capacity.reserve();
        if reserved {
            self.install();
            self.let_go();
            self.capacity.give_back(1);
        }
        reserved
    }
}

/// Two threads do the same. In the end all room is there again, and one of them at least has found it.
fn at_once(come_and_go: fn(&Table) -> bool) {
    explore(move || {
        let table = Table::new();
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || come_and_go(&table)
        });
        let one = come_and_go(&table);
        assert!(other.join().unwrap() || one, "there was room for one of them");
        assert_eq!(table.capacity.held(), 0);
    });
}

#[test]
fn the_limit_holds() {
    at_once(Table::come_and_go);
}

/// An insertion while the limit is lowered to nothing: what it installs afterwards is too much.
fn while_lowered(reserve: fn(&Capacity) -> bool) {
    explore(move || {
        let table = Table::new();
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || reserve(&table.capacity)
        });
        table.capacity.set_limit(0);
        let held = table.capacity.held();
        let reserved = other.join().unwrap();
        assert_eq!(usize::from(reserved), held, "a flow more than there were when the limit was lowered");
    });
}

#[test]
fn a_lowered_limit_holds_at_once() {
    while_lowered(Capacity::reserve);
}

#[test]
#[should_panic(expected = "a flow more than there were")]
fn a_limit_that_is_read_before_counting_is_refuted() {
    while_lowered(|capacity| {
        let limit = capacity.limit();
        let room = capacity.held() < limit;
        if room {
            capacity.take_regardless();
        }
        room
    });
}

#[test]
#[should_panic(expected = "more flows than the limit")]
fn looking_before_counting_is_refuted() {
    at_once(|table| {
        let room = table.capacity.held() < table.capacity.limit();
        if room {
            table.install();
            table.let_go();
        }
        room
    });
}

#[test]
#[should_panic(expected = "more flows than the limit")]
fn giving_room_back_before_letting_go_is_refuted() {
    at_once(|table| {
        let reserved = table.capacity.reserve();
        if reserved {
            table.install();
            table.capacity.give_back(1);
            table.let_go();
        }
        reserved
    });
}

/// Two threads ask for room while a third lowers the limit from two flows to one, from when on there may not come
/// more than there were. What they were granted, and how many flows there were in the end.
fn two_while_lowered(held: usize, ask: [fn(&Capacity) -> bool; 2], check: fn([bool; 2], usize)) {
    explore(move || {
        let capacity = Arc::new(Capacity::new(2));
        (0..held).for_each(|_| assert!(capacity.reserve()));
        let others = ask.map(|ask| {
            let capacity = Arc::clone(&capacity);
            thread::spawn(move || ask(&capacity))
        });
        capacity.set_limit(1);
        let then = capacity.held();
        let granted = others.map(|other| other.join().unwrap());
        assert!(capacity.held() <= then.max(1), "more came after the limit was lowered");
        check(granted, capacity.held());
    });
}

#[test]
fn two_insertions_and_a_lowered_limit() {
    two_while_lowered(0, [Capacity::reserve, Capacity::reserve], |granted, held| {
        assert_eq!(granted.into_iter().map(usize::from).sum::<usize>(), held);
        assert!(held > 0, "there was room for one of them");
    });
}

#[test]
#[should_panic(expected = "more came after")]
fn two_insertions_that_look_before_counting_are_refuted() {
    let hasty = |capacity: &Capacity| {
        let room = capacity.held() < capacity.limit();
        if room {
            capacity.take_regardless();
        }
        room
    };
    two_while_lowered(0, [hasty, hasty], |_, _| {});
}

/// The table is full; one thread makes room from a flow that has ended, and takes it itself.
fn while_full(exchange: fn(&Capacity) -> bool) {
    two_while_lowered(2, [exchange, Capacity::reserve], |[_, other], _| {
        assert!(!other, "somebody else took the room that was made");
    });
}

#[test]
fn room_is_for_whoever_makes_it() {
    while_full(|capacity| capacity.exchange(1));
}

#[test]
#[should_panic(expected = "somebody else took")]
fn exchanging_in_two_steps_is_refuted() {
    while_full(|capacity| {
        capacity.give_back(1);
        capacity.reserve()
    });
}
