//! The list of the dying: flows that have ended, have no place in the capacity any more, and wait for the next
//! reap to hand them over.

use crate::ids::EntryIndex;
use crate::memory::{AllocError, try_reserve};
use crate::timer::{Entries, Place, Position};

/// P4. Flows of a shard that have ended and given up their places in the table, until a reap hands them over.
/// The list belongs to the shard's lock. A flow on it is filed nowhere else, so its position is that on the
/// list.
#[derive(Default)]
pub(crate) struct Dying(Vec<EntryIndex>);

/// When the list becomes empty, it keeps memory for so many entries.
const KEPT: usize = 64;

impl Dying {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room for `entries` more entries.
    pub(crate) fn reserve(&mut self, entries: usize) -> Result<(), AllocError> {
        try_reserve(&mut self.0, entries)
    }

    /// Adds a flow that is filed nowhere. If there is no memory, the process ends. Callers that can fail call
    /// [`reserve`](Self::reserve) first.
    pub(crate) fn push(&mut self, entry: EntryIndex, entries: &mut impl Entries) {
        entries.place(entry, Position::dying(self.0.len()));
        self.0.push(entry);
    }

    /// Removes a flow. Returns `false` if it is not on the list.
    pub(crate) fn remove<E: Entries>(&mut self, entry: E::Found, entries: &mut E) -> bool {
        let Place::Dying(at) = entries.position(entry).place() else { return false };
        self.0.swap_remove(at);
        if let Some(&moved) = self.0.get(at) {
            entries.place(moved, Position::dying(at));
        }
        entries.set_position(entry, Position::NONE);
        self.give_back();
        true
    }

    /// Gives the memory back that an empty list does not keep.
    #[inline]
    fn give_back(&mut self) {
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = Vec::new();
        }
    }

    /// Removes and returns one entry.
    #[inline]
    pub(crate) fn pop<E: Entries>(&mut self, entries: &mut E) -> Option<E::Found> {
        let entry = entries.find(self.0.pop()?);
        self.give_back();
        entries.set_position(entry, Position::NONE);
        Some(entry)
    }

    /// The entries on the list.
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
