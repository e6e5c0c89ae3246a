//! Reaping: claims flows that have ended under the shard's lock, a batch at a time, and hands them over under
//! no lock.

use flow_table_api::{Budget, Ended, ReapReport, Timestamp};

use super::reap_batch::{Batch, Unreferenced};
use crate::core::Core;
use crate::handle::StrongRef;
use crate::panics::Panics;
use crate::sync::Ordering;

/// A reap hands over at most twice as many flows as there were when it started, and so many more.
const SPARE: usize = 1_024;

impl<K, V> Core<K, V> {
    /// Passes each flow that has ended to `ended`. If `ended` panics, the other flows of the batch wait for the
    /// next reap.
    pub(crate) fn reap_with(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut guard) = self.shards.enter(shard, wait) else { return false };
            let mut batch = Batch::new(&self.shards);
            batch.claim(&mut guard, now, left, report);
            batch.hand_over(guard, &mut ended);
            true
        })
    }

    /// As [`reap_with`](Self::reap_with), but drops the flows. One-key flows that nobody else holds are taken
    /// out and freed in batches, not one by one.
    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut guard) = self.shards.enter(shard, wait) else { return false };
            let (mut batch, mut unreferenced) = (Batch::new(&self.shards), Unreferenced::new());
            let mut panics = Panics::none();
            batch.claim(&mut guard, now, left, report);
            batch.release_singles(&mut guard, &mut unreferenced);
            let unseen = unreferenced.unseen(&self.bursts);
            match unseen {
                // Flows that need no drop are freed under the same lock.
                Some(unseen) if !const { std::mem::needs_drop::<(K, V)>() } && self.records.is_none() => {
                    unreferenced.free_undropped(&unseen, &mut guard);
                    drop(guard);
                }
                Some(unseen) => {
                    drop(guard);
                    unreferenced.drop_flows(&unseen, self.records.as_ref(), &mut panics);
                    unreferenced.free(&mut self.shards.lock(shard));
                }
                None => {
                    drop(guard);
                    self.wait(&mut unreferenced, &mut panics);
                }
            }
            batch.unlink_replies();
            panics.repeat(|| batch.next().map(|(flow, _)| drop(StrongRef::from_table(flow))).is_some());
            panics.resume();
            true
        })
    }

    /// Moves flows to limbo, where they wait for the bursts that may see them.
    #[inline]
    fn wait(&self, unreferenced: &mut Unreferenced<K, V>, panics: &mut Panics) {
        if !unreferenced.dead().is_empty() {
            drop(self.wait_for_bursts(unreferenced.dead().drain(..), panics));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if self.shards.capacity.is_empty() {
            return None;
        }
        // A reap that settles a shard's time beside a new notice raises it for a moment.
        if self.shards.iter().any(|shard| !shard.notices.is_empty()) {
            return Some(Timestamp::ZERO);
        }
        // The shards' times are lower bounds. They are not raised when a flow is taken out early.
        // Flows that are asked about are due at no known time.
        self.shards.due.earliest().or(Some(Timestamp::MAX))
    }

    /// Calls `reap_shard` for shards in which there may be work, until the budget is used up. It first tries
    /// them without waiting for their locks. Then it waits for the shards that were locked, in which there is
    /// often nothing left to do.
    #[inline]
    pub(super) fn reap_shards(
        &self,
        now: Timestamp,
        budget: Budget,
        mut reap_shard: impl FnMut(usize, bool, &mut usize, &mut ReapReport) -> bool,
    ) -> ReapReport {
        self.shards.ready_memory();
        let (mut left, mut report) = (budget.get(), ReapReport::default());
        let (capacity, times) = (&self.shards.capacity, &self.shards.due);
        let due = times.due_shards(now);
        if due == 0 {
            self.compact(&mut left);
            return report;
        }
        // If callbacks keep putting flows back that are due at once, those are left to the next reap at some
        // point.
        let most = 2 * (capacity.held() + capacity.dying()) + SPARE;
        // Relaxed, and not one atomic step: it only spreads the work. The shards from there on come first, then
        // those before. Bit 0 is the first one.
        let from = self.reap_from.load(Ordering::Relaxed);
        let (mut shards, mut busy, mut wait) = (due.rotate_right(from as u32), 0, false);
        while left > 0 && report.expired + report.cancelled <= most {
            if shards == 0 {
                if busy == 0 {
                    break;
                }
                (shards, busy, wait) = (busy, 0, true);
            }
            let at = shards.trailing_zeros();
            shards &= shards - 1;
            let shard = (at as usize + from) % u64::BITS as usize;
            while left > 0 && report.expired + report.cancelled <= most && times.has_work(shard, now) {
                if !reap_shard(shard, wait, &mut left, &mut report) {
                    debug_assert!(!wait, "it waits for the lock");
                    busy |= 1 << at;
                    break;
                }
            }
            // If one shard's flows come up again and again, it is the others' turn.
            if left == 0 || report.expired + report.cancelled > most {
                self.reap_from.store((shard + 1) & (self.shards.len() - 1), Ordering::Relaxed);
            }
        }
        let all = left > 0 && report.expired + report.cancelled <= most;
        report.more = !all && times.due_shards(now) != 0;
        if all {
            self.compact(&mut left);
        }
        report
    }
}
