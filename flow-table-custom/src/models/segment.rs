//! A segment under loom, for the models of look-ups in it.

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

pub(super) const FOREVER: Timestamp = Timestamp::MAX;

/// One hash for all keys: one tag, and the home bucket of all.
pub(super) const HASH: KeyHash = KeyHash::from_bits(1);

pub(super) const fn slot(entry: u32, direction: Direction) -> Slot {
    Slot::new(EntryIndex::new(0, entry, false), direction)
}

pub(super) const OLD: Slot = slot(0, Direction::Forward);
pub(super) const NEW: Slot = slot(1, Direction::Forward);

/// Arrays that stay until the end, and are given out again.
#[derive(Default)]
pub(super) struct Arrays {
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
pub(super) struct Table {
    pub(super) arrays: Arrays,
    pub(super) segment: Segment,
    pub(super) other: Segment,
    pub(super) flows: [FlowState; 2],
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

    pub(super) fn is_active(&self, slot: Slot) -> bool {
        self.flows[slot.entry().place() as usize].load().status == Status::Active
    }

    /// What a look-up of the key visits: only these two flows have it, and only while they are active.
    pub(super) fn visit(&self, wanted: Direction) -> impl Fn(Slot) -> Seen<Slot> + '_ {
        move |slot| match slot.direction() == wanted {
            true if self.is_active(slot) => Seen::Found(slot),
            true => Seen::Ended,
            false => Seen::Other,
        }
    }
}

/// `write` on this thread, which has the shard's lock, while another one does `look`.
pub(super) fn against(
    switches: Option<usize>,
    write: impl Fn(&Table, Owned) + Sync + Send + 'static,
    look: fn(&Table),
) {
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
