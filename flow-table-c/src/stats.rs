//! Counters.

use crate::guard::guard;
use crate::table::Table;

/// The counters of a table. Each is exact, but they are not all read at the same moment.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Flows that have a place in the table.
    pub flows: u64,
    /// Flows that became active.
    pub inserts: u64,
    /// Insertions refused because the table was full.
    pub refusals: u64,
    /// Flows whose deadline passed.
    pub expired: u64,
    /// Flows that were cancelled.
    pub cancelled: u64,
    /// Flows that were removed.
    pub removed: u64,
    /// Live flows that an insertion replaced.
    pub replaced: u64,
    /// Flows that were evicted to make room.
    pub evicted: u64,
    /// Flows that have made room in a full table and wait for a reap.
    pub dying: u64,
    /// Ended flows that wait for open bursts.
    pub waiting: u64,
    /// Parts that are locked independently.
    pub shards: u64,
    /// Bytes of memory that the table occupies.
    pub bytes: u64,
}

impl From<flow_table::Stats> for Stats {
    fn from(stats: flow_table::Stats) -> Self {
        Self {
            flows: stats.flows as u64,
            inserts: stats.inserts,
            refusals: stats.refusals,
            expired: stats.ended.expired,
            cancelled: stats.ended.cancelled,
            removed: stats.ended.removed,
            replaced: stats.ended.replaced,
            evicted: stats.ended.evicted,
            dying: stats.dying as u64,
            waiting: stats.waiting as u64,
            shards: stats.shards as u64,
            bytes: stats.bytes as u64,
        }
    }
}

/// Returns the counters of a table; zeros if `table` is null.
///
/// Thread-safe. It is cheap, but not meant for every packet.
///
/// # Safety
///
/// `table` is null or a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_stats(table: *const Table) -> Stats {
    // SAFETY: the caller's.
    unsafe { table.as_ref() }
        .map_or(Stats::default(), |table| guard(Stats::default(), || table.inner.stats().into()))
}
