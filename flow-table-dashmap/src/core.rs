use std::sync::atomic::{AtomicBool, AtomicUsize};

use crossbeam::utils::CachePadded;
use flow_table_api::{Alarm, Equivalent, ForeignFlow, TableConfig};

use crate::base::count::Count;
use crate::base::id::SlotId;
use crate::base::nesting::Nesting;
use crate::base::open::OpenBursts;
use crate::base::sync::Arc;
use crate::base::watermark::Watermark;
use crate::flow::home::{Recorder, Shared};
use crate::flow::record::Record;
use crate::flow::strong::{FlowRecord, Strong};
use crate::map::slots::Slots;
use crate::map::stripes::Stripes;
use crate::queue::queues::Queues;

/// The parts of a table. The documentation of the crate says how they work together, and in which order locks are
/// taken.
pub(crate) struct Core<K, V> {
    pub(crate) shared: Arc<Shared<K, Record<K, V>>>,
    pub(crate) stripes: Stripes,
    pub(crate) queues: Queues<K, V>,
    /// The number of flows that have a place, and its limit (contract C1). A flow is counted before it is
    /// inserted, and until the table lets it go or it gives up its place.
    pub(crate) held: CachePadded<Watermark>,
    /// The number of flows that gave up their places and wait for a reap.
    pub(crate) dying: AtomicUsize,
    pub(crate) refusals: Count,
    /// Flows that open bursts keep. Bursts with few flows do not count theirs.
    pub(crate) kept: CachePadded<AtomicUsize>,
    /// Taken for a moment when a burst opens or closes, under no other lock.
    pub(crate) open: OpenBursts,
    /// The number of samples taken, which tells the next one where to start.
    pub(crate) sampled: AtomicUsize,
    /// The queue at which the next reap begins.
    pub(crate) next_reaped: AtomicUsize,
}

impl<K, V> Core<K, V> {
    pub(crate) fn new(config: &TableConfig, records: Option<Recorder<Record<K, V>>>) -> Self {
        /// More shards would be locks without contention.
        const MOST_SHARDS: usize = 1 << 12;
        let wished = config.wished_shards().map_or_else(default_shards, usize::from);
        // The map needs at least two.
        let shards = wished.clamp(2, MOST_SHARDS).next_power_of_two();
        Self {
            shared: Arc::new(Shared {
                slots: Slots::new(shards),
                nesting: Nesting::new(),
                slack: config.slack(),
                period: u64::try_from(config.asks_after().as_nanos()).unwrap_or(u64::MAX),
                asks: AtomicBool::new(false),
                alarm: Alarm::new(),
                records,
            }),
            stripes: Stripes::new(shards),
            queues: Queues::new(),
            held: CachePadded::new(Watermark::limited(config.capacity())),
            dying: AtomicUsize::new(0),
            refusals: Count::default(),
            kept: CachePadded::default(),
            open: OpenBursts::default(),
            sampled: AtomicUsize::new(0),
            next_reaped: AtomicUsize::new(0),
        }
    }

    /// Returns the flow if it is of this table (contract V5).
    pub(crate) fn own<'f>(&self, flow: &'f FlowRecord<K, V>) -> Result<&'f Strong<K, V>, ForeignFlow> {
        let record = &flow.0;
        if Arc::ptr_eq(record.shared(), &self.shared) { Ok(record) } else { Err(ForeignFlow) }
    }

    /// Returns the slot of a key and its flow. `Eq` of keys runs and may panic; nothing has been changed by then.
    #[inline]
    pub(crate) fn occupant<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<Occupant<K, V>> {
        let (slot, flow) = self.shared.slots.get(hash, key, Strong::upgrade)?;
        Some(Occupant { slot, flow })
    }
}

/// Four shards for each processor.
fn default_shards() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// The slot of a key and its flow.
pub(crate) struct Occupant<K, V> {
    /// The name of the slot.
    pub(crate) slot: SlotId,
    /// The flow. `None` if it is gone; then the thread that drops it is about to remove the slot.
    pub(crate) flow: Option<Strong<K, V>>,
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
