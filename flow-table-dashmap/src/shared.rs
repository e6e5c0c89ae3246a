use std::hash::BuildHasher;
use std::sync::atomic::AtomicUsize;

use crossbeam::queue::SegQueue;
use crossbeam::utils::CachePadded;
use flow_table_api::{ForeignFlow, KeyHasher, TableConfig};

use crate::flow::Record;
use crate::handle::FlowHandle;
use crate::registry::Registry;
use crate::slots::Slots;
use crate::stats::Count;
use crate::stripes::Stripes;
use crate::strong::Strong;
use crate::watermark::Watermark;

/// What the table and its flows share.
///
/// References: the table → this → queues → flows → their first queue → this. The table ends the circle when it is dropped
/// ([`Registry::close`]); handles that outlive it keep this, emptied, until they go.
///
/// Locks are taken in this order: key stripes, ascending; the registry; queues, ascending; shards of the map, one at a
/// time and never with a queue's.
pub(crate) struct Shared<K, V> {
    pub(crate) slots: Slots<K, V>,
    pub(crate) stripes: Stripes,
    pub(crate) registry: Registry<K, V>,
    /// The flows and the limit to them (contract C1). A flow is counted before it goes in and until it is let go.
    pub(crate) held: CachePadded<Watermark>,
    pub(crate) refusals: Count,
    /// Flows to be dropped by a thread that is dropping others.
    pub(crate) put_off: SegQueue<Record<K, V>>,
    /// Flows that open bursts keep, those of many at least.
    pub(crate) kept: CachePadded<AtomicUsize>,
    /// Where the next reap begins.
    pub(crate) next_reaped: AtomicUsize,
    hasher: KeyHasher,
}

impl<K, V> Shared<K, V> {
    pub(crate) fn new(config: &TableConfig) -> Self {
        /// More would be locks that nobody contends for.
        const MOST_SHARDS: usize = 1 << 12;
        let wished = config.wished_shards().map_or_else(default_shards, usize::from);
        // The map has no fewer than two.
        let shards = wished.clamp(2, MOST_SHARDS).next_power_of_two();
        Self {
            slots: Slots::new(shards),
            stripes: Stripes::new(shards),
            registry: Registry::new(),
            held: CachePadded::new(Watermark::limited(config.capacity())),
            refusals: Count::default(),
            put_off: SegQueue::new(),
            kept: CachePadded::default(),
            next_reaped: AtomicUsize::new(0),
            hasher: config.hasher(),
        }
    }

    /// The hash of a key. User code runs: under no lock.
    #[inline]
    pub(crate) fn hash(&self, key: &K) -> u64
    where
        K: std::hash::Hash,
    {
        self.hasher.hash_one(key)
    }

    /// The flow, if this table issued the handle (contract V5).
    pub(crate) fn own<'f>(&self, flow: &'f FlowHandle<K, V>) -> Result<&'f Strong<K, V>, ForeignFlow> {
        let record = flow.record();
        if std::ptr::eq(&*record.home.shared, self) { Ok(record) } else { Err(ForeignFlow) }
    }
}

/// Four for each processor.
fn default_shards() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use flow_table_api::{Table, TableConfig};

    use crate::FlowTable;

    #[test]
    fn shards_are_a_power_of_two_within_bounds() {
        let shards = |wished| FlowTable::<u64, ()>::with_config(TableConfig::new(1).shards(wished)).stats().shards;
        assert_eq!([1, 2, 3, 16, 100_000].map(shards), [2, 2, 4, 16, 4096]);
    }
}
