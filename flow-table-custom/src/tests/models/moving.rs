//! Moving a flow to another entry (P15) against everybody who may use it: counted look-ups, bursts, holders of
//! handles, and weak handles. The reaps that move it are a further party each.

use std::sync::Arc;

use flow_table_api::Timestamp;
use flow_table_api::state::{FlowOptions, FlowState};
use flow_table_api::{OnExpiry, Status, Timeout};
use loom::thread;

use super::{Payload, explore_within};
use crate::flows::RefWord;
use crate::grace::{Bursts, Limbo};
use crate::sync::{AtomicU32, Mutex, Ordering};

const FOREVER: Timestamp = Timestamp::MAX;
const NOW: Timestamp = Timestamp::ZERO;
/// The era of the flow's birth.
const BIRTH: u32 = 1;

struct Entry {
    state: FlowState,
    refs: RefWord,
    payload: Payload,
}

/// A flow in the first of two entries.
struct Table {
    entries: [Entry; 2],
    /// The entry that the slot names.
    slot: AtomicU32,
    /// The shard's lock. Whether the flow was moved.
    shard: Mutex<bool>,
    bursts: Bursts,
    limbo: Limbo,
    options: FlowOptions,
}

impl Table {
    fn new(references: u32) -> Arc<Self> {
        let entry = |payload| Entry { state: FlowState::new(), refs: RefWord::new(), payload };
        let table = Self {
            entries: [entry(Payload::of(7)), entry(Payload::none())],
            slot: AtomicU32::new(0),
            shard: Mutex::new(false),
            bursts: Bursts::new(2),
            limbo: Limbo::new(),
            options: FlowOptions::new(Timeout::NEVER, OnExpiry::Remove, 0),
        };
        table.entries[0].refs.publish_in_total_order(references);
        table.entries[0].state.activate(FOREVER).unwrap();
        table.slot.swap(0, Ordering::SeqCst);
        for slot in 0..2 {
            let open = table.bursts.open(slot, NOW);
            table.bursts.close(&open);
        }
        Arc::new(table)
    }

    /// As `ShardGuard::mark` does, and then `Core::move_flow`.
    fn compact(&self, variant: Variant) {
        let mut moved = self.shard.lock();
        if *moved {
            return;
        }
        let [old, new] = &self.entries;
        let early = (variant == Variant::StampEarly).then(|| self.limbo.stamp(&self.bursts));
        if !old.state.mark() {
            return;
        }
        let epoch = early.unwrap_or_else(|| self.limbo.stamp(&self.bursts));
        if variant == Variant::ReferencesFirst && !old.refs.is_only_reference() {
            return;
        }
        if variant != Variant::IgnoreBursts && self.bursts.may_have_seen(BIRTH, epoch) {
            return;
        }
        let looks = !matches!(variant, Variant::IgnoreReferences | Variant::ReferencesFirst);
        if looks && !old.refs.is_only_reference() {
            return;
        }
        let Some(deadline) = old.state.begin_move() else { return };
        let value = old.payload.read();
        old.payload.clear();
        new.payload.write(value);
        new.refs.publish_in_total_order(1);
        assert!(new.state.start(deadline));
        self.slot.store(1, Ordering::Release);
        *moved = true;
        drop(moved);
        old.refs.release();
    }

    /// As a look-up does, that counts a reference. It finds the flow, whatever happens.
    fn find(&self, settle: fn(&FlowState) -> bool) {
        loop {
            let entry = &self.entries[self.slot.load(Ordering::Acquire) as usize];
            if entry.refs.try_acquire().is_none() {
                continue;
            }
            let is_there = settle(&entry.state);
            if is_there {
                entry.payload.read();
            }
            entry.refs.release();
            if is_there {
                return;
            }
            drop(self.shard.lock());
        }
    }

    /// As a look-up in a burst does, which then reads the flow until the burst closes.
    fn borrow(&self, thread: usize, is_there: fn(&Entry) -> bool) {
        let announced = self.bursts.open(thread, NOW);
        loop {
            let entry = &self.entries[self.slot.load(Ordering::Acquire) as usize];
            if self.bursts.sees(&announced, || is_there(entry)) {
                entry.payload.read();
                entry.state.refresh(NOW, &self.options);
                entry.payload.read();
                break;
            }
            drop(self.shard.lock());
        }
        self.bursts.close(&announced);
    }

    /// As [`borrow`](Self::borrow), and then `Burst::handle`: the handle outlives the burst.
    fn borrow_and_keep(&self) {
        let announced = self.bursts.open(0, NOW);
        let entry = loop {
            let entry = &self.entries[self.slot.load(Ordering::Acquire) as usize];
            if self.bursts.sees(&announced, || live(entry)) {
                break entry;
            }
            drop(self.shard.lock());
        };
        entry.refs.try_acquire().expect("borrowed and live");
        self.bursts.close(&announced);
        entry.payload.read();
        entry.refs.release();
    }

    /// The drop of a handle to the flow in its first entry.
    fn let_go(&self) {
        self.entries[0].payload.read();
        assert!(!self.entries[0].refs.release());
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Right,
    IgnoreReferences,
    ReferencesFirst,
    IgnoreBursts,
    StampEarly,
}

fn referenced(entry: &Entry) -> bool {
    entry.refs.is_referenced() && entry.state.settle()
}

fn live(entry: &Entry) -> bool {
    entry.state.is_live(NOW)
}

/// Two reaps, one after the other, beside what `others` do, each on a thread of its own.
fn against(variant: Variant, references: u32, others: &'static [fn(&Table)]) {
    // All of them where there is one other thread.
    let switches = if others.len() > 1 { 3 } else { 100 };
    explore_within(switches, move || {
        let table = Table::new(references);
        let threads = others.iter().map(|other| {
            let table = Arc::clone(&table);
            thread::spawn(move || other(&table))
        });
        let threads: Vec<_> = threads.collect();
        table.compact(variant);
        table.compact(variant);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // Nobody uses it any more.
        let [old, new] = &table.entries;
        let moved = *table.shard.lock();
        assert_eq!((old.payload.is_there(), new.payload.is_there()), (!moved, moved));
        assert_eq!((old.refs.count(), new.refs.count()), (u32::from(!moved), u32::from(moved)));
    });
}

#[test]
fn counted_look_ups_find_a_flow_that_moves() {
    against(Variant::Right, 1, &[|table| table.find(FlowState::settle)]);
}

#[test]
fn two_look_ups_find_a_flow_that_moves() {
    against(Variant::Right, 1, &[|table| table.find(FlowState::settle), |table| table.find(FlowState::settle)]);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn reading_before_the_mark_is_off_is_refuted() {
    // It only looks whether the flow was moved.
    against(Variant::Right, 1, &[|table| table.find(|state| !state.is_moved())]);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn moving_what_others_refer_to_is_refuted() {
    against(Variant::IgnoreReferences, 1, &[|table| table.find(FlowState::settle)]);
}

#[test]
fn a_handle_keeps_its_flow_where_it_is() {
    against(Variant::Right, 2, &[Table::let_go]);
}

#[test]
fn bursts_find_a_flow_that_moves() {
    against(Variant::Right, 1, &[|table| table.borrow(0, referenced)]);
    against(Variant::Right, 1, &[|table| table.borrow(0, live)]);
}

#[test]
fn a_burst_and_a_look_up_find_a_flow_that_moves() {
    against(Variant::Right, 1, &[|table| table.borrow(0, live), |table| table.find(FlowState::settle)]);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn moving_what_bursts_have_borrowed_is_refuted() {
    against(Variant::IgnoreBursts, 1, &[|table| table.borrow(0, live)]);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn borrowing_without_taking_the_mark_off_is_refuted() {
    against(
        Variant::Right,
        1,
        &[|table| {
            table.borrow(0, |entry| entry.refs.is_referenced() && !entry.state.is_moved());
        }],
    );
}

#[test]
#[should_panic(expected = "Causality violation")]
fn stamping_before_the_mark_is_refuted() {
    against(Variant::StampEarly, 1, &[|table| table.borrow(0, live)]);
}

/// A holder of a handle makes a weak one of it, gives the handle up, and takes one again.
fn weak(table: &Table, keep_entry: bool) {
    let [entry, _] = &table.entries;
    if keep_entry {
        entry.refs.keep_entry();
    }
    assert!(!entry.refs.release());
    assert!(entry.refs.try_acquire_generation(0), "the flow lives");
    entry.payload.read();
    assert!(!entry.refs.release());
}

#[test]
fn a_weak_handle_keeps_its_flow_where_it_is() {
    against(Variant::Right, 2, &[|table| weak(table, true)]);
}

#[test]
fn a_handle_made_of_a_borrowed_flow_keeps_it_where_it_is() {
    against(Variant::Right, 1, &[Table::borrow_and_keep]);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_for_references_before_bursts_is_refuted() {
    against(Variant::ReferencesFirst, 1, &[Table::borrow_and_keep]);
}

#[test]
#[should_panic(expected = "the flow lives")]
fn a_weak_handle_that_keeps_no_entry_is_refuted() {
    against(Variant::Right, 2, &[|table| weak(table, false)]);
}

/// Of a move and an end by a look-up, the first one counts: what was moved does not end, and what has ended does
/// not move.
#[test]
fn a_flow_that_moves_ends_once() {
    explore_within(100, || {
        let table = Table::new(1);
        let cancels = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                table.find(|state| {
                    let there = state.settle();
                    assert!(!there || state.cancel(), "settled, and nobody else ends it");
                    there
                });
            }
        });
        table.compact(Variant::Right);
        table.compact(Variant::Right);
        cancels.join().unwrap();
        let ended = &table.entries[usize::from(*table.shard.lock())].state;
        assert_eq!(ended.load().status, Status::Cancelled);
    });
}
