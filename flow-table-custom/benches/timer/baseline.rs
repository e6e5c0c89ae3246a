//! What the timer queue is compared with: one in-place 4-ary heap over all entries. And one trait for both, so
//! that the same tests and the same benchmark run over them.

use flow_table_api::Timestamp;

use crate::ids::EntryIndex;
use crate::memory::AllocError;
use crate::timer::{Due, Entries, Heap, Place, Position, TimerQueue};

/// What both queues do.
pub(crate) trait Queue {
    fn new() -> Self;
    fn arm(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries<Found = EntryIndex>,
    ) -> Result<(), AllocError>;
    fn disarm(&mut self, entry: EntryIndex, entries: &mut impl Entries<Found = EntryIndex>) -> bool;
    fn pop_due(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        entries: &mut impl Entries<Found = EntryIndex>,
    ) -> Option<EntryIndex>;
    fn next_due(&self) -> Option<Timestamp>;
    fn memory(&self) -> usize;
    fn shrink(&mut self, entries: &mut impl Entries<Found = EntryIndex>);
}

impl Queue for TimerQueue {
    fn new() -> Self {
        Self::new()
    }

    fn arm(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries<Found = EntryIndex>,
    ) -> Result<(), AllocError> {
        let position = self.arm(entry, deadline, entries)?;
        entries.set_position(entry, position);
        Ok(())
    }

    fn disarm(&mut self, entry: EntryIndex, entries: &mut impl Entries<Found = EntryIndex>) -> bool {
        self.disarm(entry, entries)
    }

    fn pop_due(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        entries: &mut impl Entries<Found = EntryIndex>,
    ) -> Option<EntryIndex> {
        self.pop_due(now, budget, rescheduled, entries)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.next_due()
    }

    fn memory(&self) -> usize {
        self.memory()
    }

    fn shrink(&mut self, entries: &mut impl Entries<Found = EntryIndex>) {
        self.shrink(entries);
    }
}

/// One heap over all entries.
pub(crate) struct HeapQueue(Heap);

impl Queue for HeapQueue {
    fn new() -> Self {
        Self(Heap::new())
    }

    fn arm(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries<Found = EntryIndex>,
    ) -> Result<(), AllocError> {
        let position = self.0.push(entry, deadline, entries)?;
        entries.set_position(entry, position);
        Ok(())
    }

    fn disarm(&mut self, entry: EntryIndex, entries: &mut impl Entries<Found = EntryIndex>) -> bool {
        let Place::Heap(index) = entries.position(entry).place() else { return false };
        self.0.remove(index, entries);
        entries.set_position(entry, Position::NONE);
        true
    }

    fn pop_due(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        entries: &mut impl Entries<Found = EntryIndex>,
    ) -> Option<EntryIndex> {
        while *budget > 0 && self.0.first()? <= now {
            let entry = self.0.pop(entries)?;
            *budget -= 1;
            match entries.due(entry, now) {
                Due::Now => {
                    entries.set_position(entry, Position::NONE);
                    return Some(entry);
                }
                Due::At(deadline) => {
                    *rescheduled += 1;
                    let position = self.0.push(entry, deadline, entries).expect("an entry was taken out");
                    entries.set_position(entry, position);
                }
            }
        }
        None
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.0.first()
    }

    fn memory(&self) -> usize {
        self.0.memory()
    }

    fn shrink(&mut self, _entries: &mut impl Entries<Found = EntryIndex>) {
        self.0.shrink();
    }
}
