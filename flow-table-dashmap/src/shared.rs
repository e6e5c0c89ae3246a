use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crossbeam::utils::CachePadded;
use flow_table_api::{ForeignFlow, KeyHasher, TableConfig};

use crate::flow::Record;
use crate::handle::FlowHandle;
use crate::queue::Queue;
use crate::registry::Registry;
use crate::room::Room;
use crate::slots::Slots;
use crate::stats::Count;
use crate::stripes::Stripes;

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
    pub(crate) room: CachePadded<Room>,
    pub(crate) refusals: Count,
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
            room: CachePadded::new(Room::new(config.capacity())),
            refusals: Count::default(),
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

    /// Calls `tell` with the queue at `index`; `None` if the table is gone.
    pub(crate) fn with_queue<R>(&self, index: usize, tell: impl FnOnce(&Queue<K, V>) -> R) -> Option<R> {
        self.registry.read(|queues| queues.get(index).map(|queue| tell(queue)))
    }

    /// The flow, if this table issued the handle (contract V5).
    pub(crate) fn own<'f>(&self, flow: &'f FlowHandle<K, V>) -> Result<&'f Arc<Record<K, V>>, ForeignFlow> {
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
