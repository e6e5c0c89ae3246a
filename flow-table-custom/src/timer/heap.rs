use flow_table_api::Timestamp;

use super::{Entries, Position};
use crate::ids::EntryIndex;
use crate::memory::{AllocError, shrink_to, try_reserve};

/// A 4-ary heap of deadlines. It stores the position of every entry with the entry, so that removal needs no
/// search.
///
/// It orders to the nanosecond. Changes cost O(log n) moves of nodes, each of which writes a position into an
/// entry's record.
pub(crate) struct Heap {
    nodes: Vec<Node>,
    /// Memory for so many nodes is given back on request only, or not at all if it is more than [`Self::KEPT`].
    kept: usize,
}

#[derive(Clone, Copy)]
struct Node {
    deadline: Timestamp,
    entry: EntryIndex,
}

const ARITY: usize = 4;

impl Heap {
    /// Below this many nodes, memory is given back only on request.
    const KEPT: usize = 64;

    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new(), kept: Self::KEPT }
    }

    /// Makes memory ready for so many entries, and keeps it. There are none yet.
    pub(super) fn keep(&mut self, entries: usize) -> Result<(), AllocError> {
        try_reserve(&mut self.nodes, entries)?;
        // This writes to the memory, so that it is there.
        self.nodes.resize(entries, Node { deadline: Timestamp::MAX, entry: EntryIndex::new(0, 1, false) });
        self.nodes.clear();
        self.kept = entries.max(Self::KEPT);
        Ok(())
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn first(&self) -> Option<Timestamp> {
        Some(self.nodes.first()?.deadline)
    }

    /// The time under which the entry at `index` is filed.
    pub(super) fn time(&self, index: usize) -> Timestamp {
        self.nodes[index].deadline
    }

    /// Files another entry in the place of the one at `index`.
    pub(super) fn rename(&mut self, index: usize, entry: EntryIndex) {
        self.nodes[index].entry = entry;
    }

    /// Adds an entry, and returns its position, which the caller stores.
    pub(crate) fn push(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries,
    ) -> Result<Position, AllocError> {
        try_reserve(&mut self.nodes, 1)?;
        let node = Node { deadline, entry };
        self.nodes.push(node);
        let index = self.sift_up(self.nodes.len() - 1, node, entries);
        Ok(Position::in_heap(index))
    }

    /// Takes the entry with the earliest deadline out. Its position is left as it was; the caller sets it.
    #[inline]
    pub(crate) fn pop(&mut self, entries: &mut impl Entries) -> Option<EntryIndex> {
        let entry = self.nodes.first()?.entry;
        entries.prefetch(entry);
        self.remove(0, entries);
        Some(entry)
    }

    /// Takes the entry at `index` out, as [`pop`](Self::pop) does.
    pub(crate) fn remove(&mut self, index: usize, entries: &mut impl Entries) {
        let Some(last) = self.nodes.pop() else { return };
        if index < self.nodes.len() {
            if index > 0 && last.deadline < self.nodes[(index - 1) / ARITY].deadline {
                let index = self.sift_up(index, last, entries);
                entries.place(last.entry, Position::in_heap(index));
            } else {
                self.sift_down(index, last, entries);
            }
        }
        if self.nodes.capacity() > self.kept.max(4 * self.nodes.len()) {
            let capacity = self.kept.max(2 * self.nodes.len());
            shrink_to(&mut self.nodes, capacity);
        }
    }

    /// Moves the hole at `index` towards the root until `node` fits. Returns where that is, and does not store it
    /// with the node's entry.
    fn sift_up(&mut self, mut index: usize, node: Node, entries: &mut impl Entries) -> usize {
        while index > 0 {
            let parent = (index - 1) / ARITY;
            if self.nodes[parent].deadline <= node.deadline {
                break;
            }
            self.put(index, self.nodes[parent], entries);
            index = parent;
        }
        self.nodes[index] = node;
        index
    }

    /// Moves the hole at `index` towards the leaves until `node` fits.
    fn sift_down(&mut self, mut index: usize, node: Node, entries: &mut impl Entries) {
        while let Some(child) = self.earliest_child(index) {
            if node.deadline <= self.nodes[child].deadline {
                break;
            }
            self.put(index, self.nodes[child], entries);
            index = child;
        }
        self.put(index, node, entries);
    }

    #[inline]
    fn earliest_child(&self, index: usize) -> Option<usize> {
        let first = ARITY * index + 1;
        let children = self.nodes.get(first..)?;
        let Some(&[a, b, c, d]) = children.first_chunk() else {
            return Some(first + children.iter().enumerate().min_by_key(|(_, child)| child.deadline)?.0);
        };
        // There are no branches here, because nothing could predict them.
        let (ab, left) = if b.deadline < a.deadline { (b.deadline, 1) } else { (a.deadline, 0) };
        let (cd, right) = if d.deadline < c.deadline { (d.deadline, 3) } else { (c.deadline, 2) };
        Some(first + if cd < ab { right } else { left })
    }

    #[inline]
    fn put(&mut self, index: usize, node: Node, entries: &mut impl Entries) {
        self.nodes[index] = node;
        entries.place(node.entry, Position::in_heap(index));
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }

    /// Gives unused memory back.
    pub(crate) fn shrink(&mut self) {
        shrink_to(&mut self.nodes, if self.kept > Self::KEPT { self.kept } else { 0 });
    }

    /// Every entry with the deadline it is filed under, after checking that order and positions are right.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, Timestamp)> {
        for (index, node) in self.nodes.iter().enumerate() {
            assert_eq!(entries.position(entries.find(node.entry)), Position::in_heap(index));
            assert!(index == 0 || self.nodes[(index - 1) / ARITY].deadline <= node.deadline);
        }
        self.nodes.iter().map(|node| (node.entry, node.deadline)).collect()
    }
}
