//! The largest flows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use clap::ValueEnum;
use flow_table::FlowKey;

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

/// Equal flows are in the order of key and time, so that the choice does not depend on the order of ends.
type Place = (i128, Reverse<FlowKey>, Reverse<i128>);

impl Rank {
    const fn place(self, flow: &FlowRecord) -> Place {
        let tally = &flow.tally;
        let size = match self {
            Self::Bytes => tally.ip_bytes as i128,
            Self::Packets => tally.packets as i128,
            Self::Flows => 1,
            Self::Duration => tally.last_ns.saturating_sub(tally.first_ns),
        };
        (size, Reverse(flow.key), Reverse(tally.first_ns))
    }
}

impl Entry {
    const fn place(&self) -> Place {
        self.1.place(&self.0)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
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
            let smaller = |smallest: &Reverse<Entry>| smallest.0.place() < self.by.place(flow);
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
