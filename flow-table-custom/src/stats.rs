use flow_table_api::{EndCounts, Stats};

use crate::core::Core;
use crate::shard::Counter;

impl<K, V> Core<K, V> {
    pub(crate) fn stats(&self) -> Stats {
        let sum = |counter: fn(&crate::shard::Counters) -> &Counter| {
            self.shards.iter().map(|shard| counter(&shard.counters).get()).sum()
        };
        let mut ended = EndCounts::default();
        ended.expired = sum(|counters| &counters.expired);
        ended.cancelled = sum(|counters| &counters.cancelled);
        ended.removed = sum(|counters| &counters.removed);
        ended.replaced = sum(|counters| &counters.replaced);
        let mut stats = Stats::new();
        stats.flows = self.capacity.held();
        stats.inserts = sum(|counters| &counters.inserts);
        stats.refusals = sum(|counters| &counters.refusals);
        stats.ended = ended;
        stats.dying = self.capacity.dying();
        stats.waiting = self.limbo.len();
        stats.shards = self.shards.len();
        stats.bytes = self.memory();
        stats
    }

    pub(crate) fn memory(&self) -> usize {
        let pages = self.pool(false).resident() + self.pool(true).resident() + self.buckets.memory();
        let shards: usize = self.shards.iter().map(|shard| shard.lock().memory()).sum();
        pages
            + shards
            + self.limbo.memory()
            + size_of_val(&*self.segments)
            + size_of_val(&*self.shards)
            + size_of::<Self>()
    }

    pub(crate) fn shrink_to_fit(&self) {
        for shard in &self.shards {
            let mut inner = shard.lock();
            inner.timers.shrink(&mut self.filed());
            for pair in [false, true] {
                inner.slab(pair).shrink(self, pair);
            }
        }
        for pool in [self.pool(false), self.pool(true), self.buckets.pool()] {
            pool.purge();
        }
    }
}
