use std::sync::atomic::Ordering;

use flow_table_api::Stats;

use crate::core::Core;
use crate::flow::record::Record;
use crate::ops::kept::Kept;

impl<K, V> Core<K, V> {
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::new();
        for counts in self.queues.iter().map(|queue| &queue.home.counts) {
            stats.inserts += counts.inserts.get();
            stats.ended.expired += counts.expired.get();
            stats.ended.cancelled += counts.cancelled.get();
            stats.ended.removed += counts.removed.get();
            stats.ended.replaced += counts.replaced.get();
            stats.ended.evicted += counts.evicted.get();
        }
        stats.flows = self.held.get();
        stats.refusals = self.refusals.get();
        stats.dying = self.dying();
        stats.oldest_burst = self.open.oldest();
        stats.shards = self.shared.slots.shards();
        stats.bytes = self.memory();
        stats
    }

    pub(crate) fn memory(&self) -> usize {
        /// The strong and the weak count of a counted allocation.
        const COUNTS: usize = 2 * size_of::<usize>();
        let flows = self.held.get() + self.dying();
        let flows = flows * (size_of::<Record<K, V>>() + COUNTS);
        // Relaxed: a statistic, which orders nothing.
        let kept = self.kept.load(Ordering::Relaxed) * Kept::<K, V>::NODE_BYTES;
        size_of::<Self>()
            + self.stripes.memory()
            + self.shared.slots.memory()
            + self.queues.memory()
            + flows
            + kept
    }

    pub(crate) fn shrink_to_fit(&self) {
        self.shared.slots.shrink_to_fit();
        self.queues.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use flow_table_api::FlowKey;

    use super::*;
    use crate::base::sync::Weak;
    use crate::map::slots::Slots;
    use crate::queue::filed::Filed;

    /// The numbers in the cost table of `FlowTable`.
    #[test]
    fn a_flow_costs_what_is_documented() {
        type Value = [u64; 8];
        type Flow = Record<FlowKey, Value>;
        assert_eq!(std::mem::offset_of!(Flow, key), 48);
        assert_eq!(size_of::<Flow>(), 48 + 44 + 48 + 4 + 64);
        assert_eq!(Slots::<FlowKey, Weak<Flow>>::SLOT_BYTES, 24 + 48 + 1);
        assert_eq!(Filed::<FlowKey, Value>::ENTRY_BYTES, 59);
    }
}
