//! `stats` and `shrink_to_fit`.

use flow_table_api::{EndCounts, Stats};

use crate::core::Core;
use crate::shard::{Counter, Counters};

impl<K, V> Core<K, V> {
    pub(crate) fn stats(&self) -> Stats {
        let sum = |counter: fn(&Counters) -> &Counter| {
            self.shards.iter().map(|shard| counter(&shard.counters).get()).sum()
        };
        let mut ended = EndCounts::default();
        ended.expired = sum(|counters| &counters.expired);
        ended.cancelled = sum(|counters| &counters.cancelled);
        ended.removed = sum(|counters| &counters.removed);
        ended.replaced = sum(|counters| &counters.replaced);
        ended.evicted = sum(|counters| &counters.evicted);
        let mut stats = Stats::new();
        stats.flows = self.shards.capacity.held();
        stats.inserts = sum(|counters| &counters.inserts);
        stats.refusals = sum(|counters| &counters.refusals);
        stats.ended = ended;
        stats.dying = self.shards.capacity.dying();
        stats.waiting = self.limbo.len();
        stats.oldest_burst = self.bursts.oldest();
        stats.shards = self.shards.len();
        stats.bytes = self.memory();
        stats
    }

    pub(crate) fn shrink_to_fit(&self) {
        (0..self.shards.len()).for_each(|shard| self.shards.lock(shard).begin_anew());
        self.compact(&mut { usize::MAX });
        for shard in 0..self.shards.len() {
            self.shards.lock(shard).shrink();
        }
        self.shards.arena.pool().purge();
        self.shards.index.arrays.pool().purge();
    }
}
