//! A look-up that misses against whatever takes a flow's slot away while its key stays found: a new array of buckets, and
//! replacement.

use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use flow_table_api::state::FlowState;
use flow_table_api::{Direction, Status, Timestamp};
use loom::thread;

use super::{explore, explore_within};
use crate::bucket::Bucket;
use crate::hash::KeyHash;
use crate::index::EntryIndex;
use crate::memory::AllocError;
use crate::segment::{BucketSource, Hashes, Owned, Seen, Segment};
use crate::slot::Slot;
use crate::sync::{Ordering, fence};

const FOREVER: Timestamp = Timestamp::MAX;
/// More slots than a segment of one bucket has room for beside another.
const MANY: usize = 9;

/// One hash for all keys: one tag, and the home bucket of all.
const HASH: KeyHash = KeyHash::from_bits(1);

const fn slot(entry: u32, direction: Direction) -> Slot {
    Slot::new(EntryIndex::new(0, entry, false), direction)
}

const OLD: Slot = slot(0, Direction::Forward);
const NEW: Slot = slot(1, Direction::Forward);

/// Arrays that stay until the end, and are given out again.
#[derive(Default)]
struct Arrays {
    all: Mutex<Vec<Box<[Bucket]>>>,
    free: Mutex<Vec<(NonNull<Bucket>, u32)>>,
}

// SAFETY: the pointers are to buckets in `all`, which are shared like them.
unsafe impl Send for Arrays {}
// SAFETY: as for Send.
unsafe impl Sync for Arrays {}

impl BucketSource for Arrays {
    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError> {
        let mut free = self.free.lock().unwrap();
        if let Some(at) = free.iter().position(|&(_, size)| size == log2) {
            return Ok(free.swap_remove(at).0);
        }
        let array: Box<[Bucket]> = (0..1 << log2).map(|_| Bucket::new()).collect();
        let first = NonNull::from_ref(&array[0]);
        self.all.lock().unwrap().push(array);
        Ok(first)
    }

    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32) {
        self.free.lock().unwrap().push((array, log2));
    }
}

impl Hashes for Arrays {
    fn hash_of(&self, _: Slot) -> KeyHash {
        HASH
    }

    fn prefetch(&self, _: Slot) {}
}

/// A segment with [`OLD`] in it, another one that takes arrays from the same source, and the flows.
struct Table {
    arrays: Arrays,
    segment: Segment,
    other: Segment,
    flows: [FlowState; 2],
}

impl Table {
    fn new() -> (Arc<Self>, Owned) {
        let flows = [FlowState::new(), FlowState::new()];
        let table = Self { arrays: Arrays::default(), segment: Segment::new(), other: Segment::new(), flows };
        let mut owned = Owned::default();
        table.flows[0].activate(FOREVER).unwrap();
        table.segment.reserve(&mut owned, 1, &table.arrays, &table.arrays).unwrap();
        table.segment.insert(&mut owned, HASH, OLD);
        (Arc::new(table), owned)
    }

    fn is_active(&self, slot: Slot) -> bool {
        self.flows[slot.entry().place() as usize].load().status == Status::Active
    }

    /// What a look-up of the key visits: only these two flows have it, and only while they are active.
    fn visit(&self, wanted: Direction) -> impl Fn(Slot) -> Seen<Slot> + '_ {
        move |slot| match slot.direction() == wanted {
            true if self.is_active(slot) => Seen::Found(slot),
            true => Seen::Ended,
            false => Seen::Other,
        }
    }
}

/// `write` on this thread, which has the shard's lock, while another one does `look`.
fn against(switches: Option<usize>, write: impl Fn(&Table, Owned) + Sync + Send + 'static, look: fn(&Table)) {
    let model = move || {
        let (table, owned) = Table::new();
        let reader = thread::spawn({
            let table = Arc::clone(&table);
            move || look(&table)
        });
        write(&table, owned);
        reader.join().unwrap();
    };
    match switches {
        None => explore(model),
        Some(switches) => explore_within(switches, model),
    }
}

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

/// The flow goes, and another one with the same key comes into its entry, as `Core::insert_fresh` puts it there: `start` fills its
/// slot and makes it active. Who has found it once, perhaps by the slot of before, finds it again.
fn reuse(table: &Table, mut owned: Owned, start: fn(&Table, &mut Owned)) {
    table.flows[0].detach();
    table.segment.remove(&mut owned, HASH, OLD);
    table.flows[0].reset(Status::Detached, Timestamp::ZERO);
    start(table, &mut owned);
}

const SECOND: Timestamp = Timestamp::from_nanos(2);

fn occupy(table: &Table, owned: &mut Owned) {
    let place = table.segment.vacancy(owned, HASH).expect("there is room");
    table.segment.occupy(owned, HASH, place, OLD);
}

fn search_twice(table: &Table) {
    let search = || {
        table.segment.search(HASH, |_| match table.flows[0].load() {
            word if word.status == Status::Active => Seen::Found(word.deadline),
            _ => Seen::Ended,
        })
    };
    if search() == Some(SECOND) {
        assert_eq!(search(), Some(SECOND), "missed");
    }
}

#[test]
fn a_flow_that_was_found_is_found_again() {
    let start = |table: &Table, owned: &mut Owned| {
        occupy(table, owned);
        fence(Ordering::Release);
        table.flows[0].reset(Status::Active, SECOND);
    };
    against(None, |table, owned| reuse(table, owned, start), search_twice);
}

#[test]
#[should_panic(expected = "missed")]
fn starting_a_flow_before_its_slot_is_refuted() {
    let start = |table: &Table, owned: &mut Owned| {
        fence(Ordering::Release);
        table.flows[0].reset(Status::Active, SECOND);
        occupy(table, owned);
    };
    against(None, |table, owned| reuse(table, owned, start), search_twice);
}

#[test]
#[should_panic(expected = "missed")]
fn starting_a_flow_without_release_is_refuted() {
    let start = |table: &Table, owned: &mut Owned| {
        occupy(table, owned);
        table.flows[0].reset(Status::Active, SECOND);
    };
    against(None, |table, owned| reuse(table, owned, start), search_twice);
}
