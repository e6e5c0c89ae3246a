use crate::Timestamp;

/// The counters of a table. Reading them stops no other operation. Each counter is exact, but they are not all
/// read at the same moment (contract C5).
///
/// While no operation is running, `inserts − ended.total()` is the number of active flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Stats {
    /// The flows that have a place in the table, as [`Table::len`](crate::Table::len) returns them.
    pub flows: usize,
    /// Flows that became active: by an insertion, also one that replaced another flow, or by `reinsert`.
    pub inserts: u64,
    /// Insertions refused because the table was full.
    pub refusals: u64,
    /// Flows that have ended, by reason.
    pub ended: EndCounts,
    /// Flows that have ended and given up their places in the table, and wait for a reap to hand them over
    /// (contract C2).
    pub dying: usize,
    /// Ended flows whose values are not dropped yet because open bursts may have borrowed them (contract U2).
    /// It is always zero in backends whose bursts count references.
    pub waiting: usize,
    /// The time of the oldest open burst: of those given to [`Table::burst`](crate::Table::burst), the earliest.
    /// If it stays the same while time goes on, a worker is stuck, or has leaked a burst (contract U4). `None` if
    /// no burst is open.
    pub oldest_burst: Option<Timestamp>,
    /// The number of shards: parts that are locked independently.
    pub shards: usize,
    /// The memory that the table occupies, in bytes, as [`Table::memory`](crate::Table::memory) returns it.
    pub bytes: usize,
}

/// Flows that have ended, by reason. Each end is counted once, when the status changes (contract S3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct EndCounts {
    /// Their deadline passed.
    pub expired: u64,
    /// They were cancelled through a handle.
    pub cancelled: u64,
    /// They were removed by `remove`, `remove_flow` or `retain`.
    pub removed: u64,
    /// They were live, and an `insert` replaced them.
    pub replaced: u64,
    /// They were active, and made room for others (contract C6).
    pub evicted: u64,
}

impl EndCounts {
    /// The sum of all five.
    pub const fn total(&self) -> u64 {
        self.expired + self.cancelled + self.removed + self.replaced + self.evicted
    }
}

impl Stats {
    /// For backends: counters that are all zero.
    pub const fn new() -> Self {
        Self {
            flows: 0,
            inserts: 0,
            refusals: 0,
            ended: EndCounts { expired: 0, cancelled: 0, removed: 0, replaced: 0, evicted: 0 },
            dying: 0,
            waiting: 0,
            oldest_burst: None,
            shards: 0,
            bytes: 0,
        }
    }
}
