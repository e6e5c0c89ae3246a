//! Reaping: claiming what has ended under the shard's lock, a batch at a time, and letting it go under none.

use flow_table_api::{Budget, Ended, ReapReport, Timestamp};

use super::reap_batch::Batch;
use crate::core::Core;
use crate::flows::Dead;
use crate::handle::StrongRef;
use crate::panics::Panics;
use crate::sync::Ordering;

/// Flows that a reap lets go beyond twice as many as there were when it came.
const SPARE: usize = 1_024;

impl<K, V> Core<K, V> {
    /// Hands each flow that has ended over to `ended`. If that panics, the flows that were claimed with it wait for the next reap.
    pub(crate) fn reap_with(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut guard) = self.shards.enter(shard, wait) else { return false };
            let mut batch = Batch::claim(&self.shards, &mut guard, now, left, report);
            batch.prepare(&mut guard);
            drop(guard);
            batch.unlink_replies();
            while let Some((flow, reason)) = batch.next() {
                ended(Ended { flow: StrongRef::from_table(flow), reason });
            }
            true
        })
    }

    /// As [`reap_with`](Self::reap_with), dropping what ended: one-key flows that nobody else holds are taken out and freed
    /// in batches, not one by one.
    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut guard) = self.shards.enter(shard, wait) else { return false };
            let mut batch = Batch::claim(&self.shards, &mut guard, now, left, report);
            let unreferenced = batch.release_singles(&mut guard, &self.bursts);
            drop(guard);
            batch.unlink_replies();
            let mut panics = Panics::none();
            let waiting = unreferenced.drop_in(&self.shards, shard, &mut panics);
            if !waiting.is_empty() {
                self.limbo.push(&self.bursts, waiting.into_iter().map(Dead::into_limbo));
                // A burst that was open may have looked into limbo before the flows came there.
                drop(self.collect(&mut panics));
            }
            panics.repeat(|| batch.next().map(|(flow, _)| drop(StrongRef::from_table(flow))).is_some());
            panics.resume();
            true
        })
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let capacity = &self.shards.capacity;
        // The shards' times are lower bounds, and not raised when a flow is taken out early.
        self.shards.due.earliest().filter(|_| capacity.held() + capacity.dying() != 0)
    }

    /// Calls `reap_shard` for shards where there may be work, until the budget is used up: first without waiting for their
    /// locks, then for those that somebody else was working on, in which there is often nothing left to do.
    #[inline]
    fn reap_shards(
        &self,
        now: Timestamp,
        budget: Budget,
        mut reap_shard: impl FnMut(usize, bool, &mut usize, &mut ReapReport) -> bool,
    ) -> ReapReport {
        let (mut left, mut report) = (budget.get(), ReapReport::default());
        let (capacity, times) = (&self.shards.capacity, &self.shards.due);
        let due = times.due_shards(now);
        if due == 0 {
            return report;
        }
        // What callbacks put back due, for ever, is for the next reap in the end.
        let most = 2 * (capacity.held() + capacity.dying()) + SPARE;
        // Relaxed, and not one step: it only spreads the work. Shards from there on come first, then those before.
        let from = self.reap_from.load(Ordering::Relaxed);
        let ahead = u64::MAX << from;
        let mut visit = |mut shards: u64, wait: bool| {
            let mut busy = 0;
            while shards != 0 && left > 0 {
                let shard = shards.trailing_zeros() as usize;
                shards &= shards - 1;
                while left > 0 && report.expired + report.cancelled <= most && times.is_due(shard, now) {
                    if !reap_shard(shard, wait, &mut left, &mut report) {
                        busy |= 1 << shard;
                        break;
                    }
                }
                if left == 0 {
                    self.reap_from.store((shard + 1) & (self.shards.len() - 1), Ordering::Relaxed);
                }
            }
            busy
        };
        let busy = visit(due & ahead, false) | visit(due & !ahead, false);
        visit(busy, true);
        let all = left > 0 && report.expired + report.cancelled <= most;
        report.more = !all && times.due_shards(now) != 0;
        report
    }
}
