use crate::ids::EntryIndex;
use crate::memory::{AllocError, try_reserve};
use crate::timer::{Entries, Place, Position};

/// Flows of a shard that have ended and given up their places in the table to others, until a reap hands them
/// over. Under the shard's lock. Each is filed nowhere else, so its position is that in this list.
#[derive(Default)]
pub(crate) struct Dying(Vec<EntryIndex>);

/// Entries for which the list keeps its memory when it is empty.
const KEPT: usize = 64;

impl Dying {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, entries: usize) -> Result<(), AllocError> {
        try_reserve(&mut self.0, entries)
    }

    /// Adds a flow that is filed nowhere. Without memory the process ends; [`reserve`](Self::reserve) first
    /// where that can be refused.
    pub(crate) fn push(&mut self, entry: EntryIndex, entries: &mut impl Entries) {
        entries.set_position(entry, Position::dying(self.0.len()));
        self.0.push(entry);
    }

    /// Takes a flow out, if it is here.
    pub(crate) fn remove(&mut self, entry: EntryIndex, entries: &mut impl Entries) -> bool {
        let Place::Dying(at) = entries.position(entry).place() else { return false };
        self.0.swap_remove(at);
        if let Some(&moved) = self.0.get(at) {
            entries.set_position(moved, Position::dying(at));
        }
        entries.set_position(entry, Position::NONE);
        true
    }

    /// Takes one out.
    pub(crate) fn pop(&mut self, entries: &mut impl Entries) -> Option<EntryIndex> {
        let entry = self.0.pop();
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = Vec::new();
        }
        entry.inspect(|&entry| entries.set_position(entry, Position::NONE))
    }

    /// Those that are here.
    pub(crate) fn iter(&self) -> impl Iterator<Item = EntryIndex> {
        self.0.iter().copied()
    }

    /// Gives unused memory back.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.0.capacity() * size_of::<EntryIndex>()
    }
}
