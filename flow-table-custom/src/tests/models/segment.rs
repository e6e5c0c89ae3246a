//! A segment under loom, for the models of look-ups in it.

use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use flow_table_api::state::FlowState;
use flow_table_api::{Direction, Status, Timestamp};
use loom::thread;

use super::{explore, explore_within};
use crate::hash::KeyHash;
use crate::ids::EntryIndex;
use crate::index::{Bucket, BucketSource, LockedHalf, Segment, Slot, SlotHashes};
use crate::memory::AllocError;
use crate::shard::{Replacement, Switch};

pub(super) const FOREVER: Timestamp = Timestamp::MAX;

/// One hash for all keys: one tag, and the home bucket of all.
pub(super) const HASH: KeyHash = KeyHash::from_bits(1);

pub(super) const fn slot(entry: u32, direction: Direction) -> Slot {
    Slot::new(EntryIndex::new(0, 1 + entry, false), direction)
}

pub(super) const OLD: Slot = slot(0, Direction::Forward);
pub(super) const NEW: Slot = slot(1, Direction::Forward);
/// Of no flow.
const BEFORE: Slot = slot(2, Direction::Forward);

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
    fn least(&self) -> u32 {
        0
    }

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

impl SlotHashes for Arrays {
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
    pub(super) switch: Switch,
}

impl Table {
    fn new() -> (Arc<Self>, LockedHalf) {
        let flows = [FlowState::new(), FlowState::new()];
        let (segment, other) = (Segment::new(), Segment::new());
        let table = Self { arrays: Arrays::default(), segment, other, flows, switch: Switch::new() };
        let mut half = LockedHalf::default();
        table.flows[0].activate(FOREVER).unwrap();
        table.segment.reserve(&mut half, 2, &table.arrays, &table.arrays).unwrap();
        // What comes later may take a slot before that of the old flow.
        table.segment.insert(&mut half, HASH, BEFORE);
        table.segment.insert(&mut half, HASH, OLD);
        table.segment.remove(&mut half, HASH, BEFORE);
        (Arc::new(table), half)
    }

    pub(super) fn flow(&self, entry: EntryIndex) -> &FlowState {
        &self.flows[entry.place() as usize - 1]
    }

    pub(super) fn is_active(&self, slot: Slot) -> bool {
        self.flow(slot.entry()).load().status == Status::Active
    }

    /// As `Core::search` does, for the key in this direction, which these two flows have. Both are held when
    /// they have expired.
    pub(super) fn search(&self, wanted: Direction) -> Option<Slot> {
        loop {
            let (version, mut announced, mut kept) = (self.segment.version(), None, None);
            let (mut is_newest, mut came_back) = (false, false);
            let found = self.segment.find(HASH, |slot| {
                if slot.direction() != wanted {
                    return None;
                }
                let flow = self.flow(slot.entry());
                if flow.load().is_starting() {
                    match self.switch.of(slot.entry()) {
                        Some(Replacement { old, deadline }) if old != slot.entry() => {
                            if self.flow(old).load().status == Status::Active {
                                announced = Some((slot.entry(), old));
                                return None;
                            }
                            flow.start(deadline);
                        }
                        None if !flow.load().is_starting() => {}
                        _ => return None,
                    }
                }
                match flow.load() {
                    word if word.is_starting() => {}
                    word if word.status == Status::Active => return Some(slot),
                    word if word.status == Status::Expired => {
                        let is_newer = self.switch.of(slot.entry()).is_some();
                        if is_newer || kept.is_none() && !is_newest {
                            kept = Some(slot);
                        }
                        is_newest |= is_newer;
                    }
                    _ => match flow.load() {
                        word if word.is_starting() => {}
                        word if word.status == Status::Active => came_back = true,
                        _ if self.switch.of(slot.entry()).is_some() => (kept, is_newest) = (None, true),
                        _ => {}
                    },
                }
                None
            });
            let is_about_to_replace = |(new, old)| {
                let is_active = self.flow(old).load().status == Status::Active;
                is_active && self.switch.of(new).is_some_and(|replacement| replacement.old == old)
            };
            if found.is_some() {
                return found;
            }
            if !came_back && self.segment.version() == version && announced.is_none_or(is_about_to_replace) {
                return kept;
            }
        }
    }
}

/// `write` on this thread, which has the shard's lock, while another one does `look`.
pub(super) fn against(
    switches: Option<usize>,
    write: impl Fn(&Table, LockedHalf) + Sync + Send + 'static,
    look: fn(&Table),
) {
    against_all(switches, write, [look]);
}

/// As [`against`], with several threads that look.
pub(super) fn against_all<const N: usize>(
    switches: Option<usize>,
    write: impl Fn(&Table, LockedHalf) + Sync + Send + 'static,
    looks: [fn(&Table); N],
) {
    let model = move || {
        let (table, half) = Table::new();
        let readers = looks.map(|look| {
            let table = Arc::clone(&table);
            thread::spawn(move || look(&table))
        });
        write(&table, half);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    };
    match switches {
        None => explore(model),
        Some(switches) => explore_within(switches, model),
    }
}
