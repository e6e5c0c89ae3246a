/// A table's counters, read without stopping anyone: each is exact, but they are not of one moment (contract C5).
///
/// At rest, `inserts − ended.total()` is the number of active flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What [`Table::len`](crate::Table::len) gives.
    pub flows: usize,
    /// Flows that became active: inserted, replacing another, or put back by `reinsert`.
    pub inserts: u64,
    /// Insertions refused because the table was full.
    pub refusals: u64,
    /// Ends by reason.
    pub ended: EndCounts,
    /// Flows that ended, gave their places up to others in a full table, and wait for a reap to hand them over
    /// (contract C2).
    pub dying: usize,
    /// Ended flows whose values wait for open bursts that may have borrowed them (contract U2). Always zero for
    /// backends whose bursts hold counted references.
    pub waiting: usize,
    /// Independently locked parts.
    pub shards: usize,
    /// What [`Table::memory`](crate::Table::memory) gives, in bytes.
    pub bytes: usize,
}

/// Ended flows by reason; each end is counted once, when the status changes (contract S3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndCounts {
    /// Deadline passed.
    pub expired: u64,
    /// Cancelled by a holder.
    pub cancelled: u64,
    /// Taken out by `remove`, `remove_flow` or `retain`.
    pub removed: u64,
    /// Displaced by a replacing insert while live.
    pub replaced: u64,
}

impl EndCounts {
    /// All ends together.
    pub const fn total(&self) -> u64 {
        self.expired + self.cancelled + self.removed + self.replaced
    }
}

impl Stats {
    /// Empty counters, for backends to fill.
    pub const fn new() -> Self {
        Self {
            flows: 0,
            inserts: 0,
            refusals: 0,
            ended: EndCounts { expired: 0, cancelled: 0, removed: 0, replaced: 0 },
            dying: 0,
            waiting: 0,
            shards: 0,
            bytes: 0,
        }
    }
}
