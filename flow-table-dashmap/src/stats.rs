use std::sync::atomic::{AtomicU64, Ordering};

use flow_table_api::Stats;

use crate::flow::Record;
use crate::kept::Kept;
use crate::shared::Shared;

/// Counts what happened to the flows of one queue.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) inserts: Count,
    pub(crate) expired: Count,
    pub(crate) cancelled: Count,
    pub(crate) removed: Count,
    pub(crate) replaced: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        // Relaxed: a statistic, which orders nothing.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<K, V> Shared<K, V> {
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::new();
        self.registry.read(|queues| {
            for counts in queues.iter().map(|queue| &queue.counts) {
                stats.inserts += counts.inserts.get();
                stats.ended.expired += counts.expired.get();
                stats.ended.cancelled += counts.cancelled.get();
                stats.ended.removed += counts.removed.get();
                stats.ended.replaced += counts.replaced.get();
            }
        });
        stats.flows = self.held.get();
        stats.refusals = self.refusals.get();
        stats.shards = self.slots.shards();
        stats.bytes = self.memory();
        stats
    }

    pub(crate) fn memory(&self) -> usize {
        /// Of a counted allocation: strong and weak count.
        const COUNTS: usize = 2 * size_of::<usize>();
        let flows = self.held.get() * (size_of::<Record<K, V>>() + COUNTS);
        let queues: usize = self.registry.each().map(|queue| queue.memory()).sum();
        // Relaxed: an account, which orders nothing.
        let kept = self.kept.load(Ordering::Relaxed) * Kept::<K, V>::NODE_BYTES;
        size_of::<Self>() + self.stripes.memory() + self.slots.memory() + queues + flows + kept
    }

    pub(crate) fn shrink_to_fit(&self) {
        self.slots.shrink_to_fit();
        self.registry.each().for_each(|queue| queue.shrink_to_fit());
    }
}

#[cfg(test)]
mod tests {
    use flow_table_api::FlowKey;

    use super::*;
    use crate::queue::Queue;
    use crate::slots::Slots;

    /// What the cost sheet of `FlowTable` says.
    #[test]
    fn a_flow_costs_what_is_documented() {
        type Flow = Record<FlowKey, [u64; 8]>;
        assert_eq!(std::mem::offset_of!(Flow, key), 48);
        assert_eq!(size_of::<Flow>(), 48 + 44 + 48 + 4 + 64);
        assert_eq!(Slots::<FlowKey, [u64; 8]>::SLOT_BYTES, 24 + 48 + 1);
        assert_eq!(Queue::<FlowKey, [u64; 8]>::ENTRY_BYTES, 59);
    }
}
