//! The memory of flows, as far as a timer queue touches it.

use flow_table_api::Timestamp;

use crate::ids::EntryIndex;
use crate::prefetch;
use crate::timer::{Due, Entries, Position};

/// What stands for a flow with a key of 44 and a value of 64 bytes.
#[repr(C, align(64))]
struct Flow {
    deadline: Timestamp,
    _rest: [u32; 30],
}

/// What the shard notes about an entry, apart from the flow.
struct Note {
    _hash: u32,
    position: Position,
}

/// Places of a page.
const PLACES: usize = 512;

/// The entry of the flow with this number.
pub(crate) fn entry(number: usize) -> EntryIndex {
    EntryIndex::new((number / PLACES) as u32, 1 + (number % PLACES) as u32, false)
}

/// The number of the flow with this entry.
#[inline]
pub(crate) fn number(entry: EntryIndex) -> usize {
    entry.page() as usize * PLACES + entry.place() as usize - 1
}

/// An arena of flows.
pub(crate) struct Records {
    flows: Vec<Flow>,
    notes: Vec<Note>,
}

impl Records {
    pub(crate) fn new(number: usize) -> Self {
        let flow = |_| Flow { deadline: Timestamp::ZERO, _rest: [1; 30] };
        let note = |_| Note { _hash: 1, position: Position::NONE };
        Self { flows: (0..number).map(flow).collect(), notes: (0..number).map(note).collect() }
    }

    pub(crate) fn deadline(&self, entry: EntryIndex) -> Timestamp {
        self.flows[number(entry)].deadline
    }

    pub(crate) fn set_deadline(&mut self, entry: EntryIndex, deadline: Timestamp) {
        self.flows[number(entry)].deadline = deadline;
    }
}

impl Entries for Records {
    type Found = EntryIndex;

    fn find(&self, entry: EntryIndex) -> EntryIndex {
        entry
    }

    fn index(entry: EntryIndex) -> EntryIndex {
        entry
    }

    #[inline]
    fn position(&self, entry: EntryIndex) -> Position {
        self.notes[number(entry)].position
    }

    #[inline]
    fn set_position(&mut self, entry: EntryIndex, position: Position) {
        self.notes[number(entry)].position = position;
    }

    #[inline]
    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due {
        let deadline = self.deadline(entry);
        if deadline <= now { Due::Now } else { Due::At(deadline) }
    }

    #[inline]
    fn prefetch(&self, entry: EntryIndex) {
        prefetch::read(&self.flows[number(entry)]);
        prefetch::read(&self.notes[number(entry)]);
    }

    #[inline]
    fn comes_up(&self, _: EntryIndex) {}
}
