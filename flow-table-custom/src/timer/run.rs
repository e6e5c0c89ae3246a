use std::cmp::Reverse;

use flow_table_api::Timestamp;

use super::{Entries, Position};
use crate::ids::EntryIndex;
use crate::memory::{AllocError, shrink_to, try_reserve};

/// Entries that were put in order at once: those of a small bucket of the wheel, when it was opened. They leave it
/// by their deadlines, or early. Nothing is added until it is empty.
///
/// Entries do not move when others leave, so each writes its position into its record once. Where one has left
/// early, there is a gap.
#[derive(Default)]
pub(super) struct Run {
    /// The latest first. The last one is not a gap.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    deadline: Timestamp,
    entry: Option<EntryIndex>,
}

/// An entry is loaded into the cache when it is so many entries away from being taken out.
const PREFETCH: usize = 4;

impl Run {
    /// With room for more entries, an empty run gives its memory back.
    const KEPT: usize = 64;

    pub(super) const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The earliest deadline.
    #[inline]
    pub(super) fn first(&self) -> Option<Timestamp> {
        Some(self.nodes.last()?.deadline)
    }

    /// The time under which the entry at `index` is filed.
    pub(super) fn time(&self, index: usize) -> Timestamp {
        self.nodes[index].deadline
    }

    /// Files another entry in the place of the one at `index`.
    pub(super) fn rename(&mut self, index: usize, entry: EntryIndex) {
        self.nodes[index].entry = Some(entry);
    }

    /// Makes room for so many entries.
    pub(super) fn reserve(&mut self, entries: usize) -> Result<(), AllocError> {
        try_reserve(&mut self.nodes, entries)
    }

    /// Adds an entry for which there is room. It is out of order until [`sort`](Self::sort).
    #[inline]
    pub(super) fn push(&mut self, entry: EntryIndex, deadline: Timestamp) {
        debug_assert!(self.nodes.len() < self.nodes.capacity());
        self.nodes.push(Node { deadline, entry: Some(entry) });
    }

    /// Puts the entries in order, and stores their positions.
    pub(super) fn sort(&mut self, entries: &mut impl Entries) {
        self.nodes.sort_unstable_by_key(|node| Reverse(node.deadline));
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(entry) = node.entry {
                entries.place(entry, Position::in_run(index));
            }
        }
        self.trim();
    }

    /// Takes the entry with the earliest deadline out. Its position is left as it was; the caller sets it.
    #[inline]
    pub(super) fn pop(&mut self, entries: &mut impl Entries) -> Option<EntryIndex> {
        let entry = self.nodes.pop()?.entry;
        self.trim();
        let ahead = self.nodes.len().checked_sub(PREFETCH).and_then(|ahead| self.nodes[ahead].entry);
        if let Some(ahead) = ahead {
            entries.prefetch(ahead);
        }
        entry
    }

    /// Takes the entry at `index` out, as [`pop`](Self::pop) does.
    pub(super) fn remove(&mut self, index: usize) {
        self.nodes[index].entry = None;
        self.trim();
    }

    /// Removes gaps from the end.
    #[inline]
    fn trim(&mut self) {
        while let Some(Node { entry: None, .. }) = self.nodes.last() {
            self.nodes.pop();
        }
        if self.nodes.is_empty() && self.nodes.capacity() > Self::KEPT {
            self.nodes = Vec::new();
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }

    /// Gives unused memory back.
    pub(super) fn shrink(&mut self) {
        shrink_to(&mut self.nodes, 0);
    }

    /// Every entry with the deadline it is filed under, after checking that order and positions are right.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, Timestamp)> {
        assert!(self.nodes.is_sorted_by_key(|node| Reverse(node.deadline)));
        assert!(self.nodes.last().is_none_or(|last| last.entry.is_some()));
        let nodes = self.nodes.iter().enumerate();
        let filed = nodes.filter_map(|(index, node)| Some((index, node.entry?, node.deadline)));
        filed
            .map(|(index, entry, deadline)| {
                assert_eq!(entries.position(entries.find(entry)), Position::in_run(index));
                (entry, deadline)
            })
            .collect()
    }
}
