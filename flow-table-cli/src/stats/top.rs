//! The largest flows.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use clap::ValueEnum;

use crate::record::FlowRecord;

/// What flows are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Bytes of IP packets.
    #[default]
    Bytes,
    /// Packets.
    Packets,
    /// The time from the first packet to the last; of groups, the number of flows.
    Duration,
    /// The number of flows of a group. A flow is one.
    Flows,
}

/// The largest records of all that were added, at most `limit` of them.
#[derive(Clone, Debug)]
pub struct Top {
    limit: usize,
    by: Rank,
    /// The smallest is on top.
    heap: BinaryHeap<Reverse<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry(FlowRecord, Rank);

impl Rank {
    const fn size(self, flow: &FlowRecord) -> i128 {
        let tally = &flow.tally;
        match self {
            Self::Bytes => tally.ip_bytes as i128,
            Self::Packets => tally.packets as i128,
            Self::Flows => 1,
            Self::Duration => tally.last_ns.saturating_sub(tally.first_ns),
        }
    }

    /// Flows of the same size are in the order of all that is counted, so that the choice does not depend on the
    /// order of ends.
    fn compare(self, a: &FlowRecord, b: &FlowRecord) -> Ordering {
        let rest = |flow: &FlowRecord| (flow.key, flow.tally.first_ns, flow.directions, flow.end);
        self.size(a).cmp(&self.size(b)).then_with(|| rest(b).cmp(&rest(a)))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.1.compare(&self.0, &other.0)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl Top {
    /// Keeps the `limit` largest by `by`.
    pub fn new(limit: usize, by: Rank) -> Self {
        Self { limit, by, heap: BinaryHeap::new() }
    }

    /// Adds a record.
    ///
    /// # Complexity
    ///
    /// O(log `limit`) if it is among the largest so far, else O(1).
    pub fn add(&mut self, flow: &FlowRecord) {
        if self.heap.len() == self.limit {
            let smaller = |smallest: &Reverse<Entry>| self.by.compare(&smallest.0.0, flow) == Ordering::Less;
            if !self.heap.peek().is_some_and(smaller) {
                return;
            }
            self.heap.pop();
        }
        self.heap.push(Reverse(Entry(flow.clone(), self.by)));
    }

    /// The records, largest first.
    pub fn sorted(&self) -> Vec<&FlowRecord> {
        let mut entries: Vec<_> = self.heap.iter().map(|Reverse(entry)| entry).collect();
        entries.sort_by(|a, b| b.cmp(a));
        entries.into_iter().map(|entry| &entry.0).collect()
    }

    /// What they are compared by.
    pub const fn by(&self) -> Rank {
        self.by
    }
}
