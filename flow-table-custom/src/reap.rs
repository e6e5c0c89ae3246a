//! Reaping: claiming what has ended under the shard's lock, a batch at a time, and letting it go under none.

use arrayvec::ArrayVec;
use flow_table_api::state::Expiry;
use flow_table_api::{Budget, Direction, EndReason, Ended, OnExpiry, ReapReport, Status, Timestamp};

use crate::core::Core;
use crate::doomed::Doomed;
use crate::entry::{Entry, HELD};
use crate::handle::StrongRef;
use crate::page::Page;
use crate::shard::ShardInner;
use crate::slot::Slot;
use crate::sync::Ordering;

/// Flows claimed under one lock.
pub(crate) const BATCH: usize = 64;

/// The shard whose reaping sees to orphans.
const ORPHANAGE: usize = 0;

/// Flows that the table lets go, on their way to whoever asked for them.
pub(crate) type Claimed<K, V> = ArrayVec<Ended<StrongRef<K, V>>, BATCH>;

impl<K, V> Core<K, V> {
    /// Ended flows were let go, but not handed over: the next reap does.
    pub(crate) fn orphan(&self, flows: impl IntoIterator<Item = Ended<StrongRef<K, V>>>) {
        self.orphans.lock().extend(flows);
        self.due.lower(ORPHANAGE, Timestamp::ZERO);
    }

    /// Lets flows of the shard go that have ended or are due, and fills `claimed` with them. No shard is locked by the
    /// caller.
    pub(crate) fn claim(
        &self,
        shard: usize,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        claimed: &mut Claimed<K, V>,
    ) {
        let first = claimed.len();
        let mut inner = self.lock(shard);
        self.claim_locked(shard, &mut inner, now, budget, report, claimed);
        for ended in &claimed[first..] {
            if !is_findable(ended.flow.entry()) {
                let (_, index) = Page::of(ended.flow.entry());
                let hash = self.hash_in(index, Direction::Forward);
                self.unlink(&mut inner, hash, Slot::new(index, Direction::Forward));
            }
        }
        drop(inner);
        self.unlink_replies(&claimed[first..]);
    }

    /// Takes the reply slots of two-key flows that may not be found any more out of the table.
    fn unlink_replies(&self, claimed: &[Ended<StrongRef<K, V>>]) {
        for entry in claimed.iter().map(|ended| ended.flow.entry()) {
            let (_, index) = Page::of(entry);
            if index.is_pair() && !is_findable(entry) {
                self.unlink_reply(index);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call's state, used in two places")]
    fn claim_locked(
        &self,
        shard: usize,
        inner: &mut ShardInner,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        claimed: &mut Claimed<K, V>,
    ) {
        let (first, notices) = (claimed.len(), &self.shards[shard].notices);
        let mut expired = 0;
        while !claimed.is_full() && *budget > 0 {
            let Some(notice) = notices.pop() else { break };
            let entry = self.entry(notice.entry);
            let current = entry.refs().generation() == notice.generation && entry.options().own(HELD);
            if current && entry.state().load().status != Status::Active {
                *budget -= 1;
                inner.timers.disarm(notice.entry, &mut self.filed());
                claimed.push(self.claim_one(entry, report));
            }
        }
        while !claimed.is_full() {
            let due = inner.timers.pop_due(now, budget, &mut report.rescheduled, &mut self.filed());
            let Some(index) = due else { break };
            let entry = self.entry(index);
            match entry.state().expire(now) {
                Expiry::Expired => expired += 1,
                Expiry::NotActive(_) => {}
                Expiry::NotDue(deadline) => {
                    // A refresh came between.
                    report.rescheduled += 1;
                    inner.timers.arm(index, deadline, &mut self.filed());
                    continue;
                }
            }
            claimed.push(self.claim_one(entry, report));
        }
        self.capacity.give_back(claimed.len() - first);
        self.shards[shard].counters.expired.add_locked(inner, expired);
        self.due.settle(shard, inner.timers.next_due());
        if !notices.is_empty() {
            self.due.lower(shard, Timestamp::ZERO);
        }
    }

    /// The table's reference to a flow that has ended and is not filed any more. Its shard is locked.
    #[inline]
    fn claim_one(&self, entry: Entry<K, V>, report: &mut ReapReport) -> Ended<StrongRef<K, V>> {
        let held = entry.options().clear_own(HELD);
        debug_assert!(held, "filed, but not held");
        let reason = match entry.state().load().status {
            Status::Cancelled => EndReason::Cancelled,
            _ => EndReason::Expired,
        };
        count(reason, report);
        // SAFETY: the table's own reference was counted, and `HELD`, which changes under this lock only, said so.
        Ended { flow: unsafe { StrongRef::from_counted(entry, Direction::Forward) }, reason }
    }

    pub(crate) fn reap_with(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.reap_shards(now, budget, |shard, left, report| {
            let mut batch = Batch { core: self, claimed: Claimed::new() };
            if shard == ORPHANAGE {
                self.claim_orphans(left, report, &mut batch.claimed);
                while let Some(flow) = batch.claimed.pop() {
                    ended(flow);
                }
            }
            self.claim(shard, now, left, report, &mut batch.claimed);
            while let Some(flow) = batch.claimed.pop() {
                ended(flow);
            }
        })
    }

    /// As [`reap_with`](Self::reap_with), dropping what ended: one-key flows that nobody else holds are taken out and freed
    /// in batches, not one by one.
    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        let (mut claimed, mut rest) = (Claimed::new(), Claimed::new());
        self.reap_shards(now, budget, |shard, left, report| {
            if shard == ORPHANAGE {
                self.claim_orphans(left, report, &mut rest);
                rest.clear();
            }
            let mut doomed = Doomed::new(self, shard);
            let mut inner = self.lock(shard);
            self.claim_locked(shard, &mut inner, now, left, report, &mut claimed);
            doomed.take_from(&mut inner, &mut claimed, &mut rest);
            drop(inner);
            self.unlink_replies(&rest);
            doomed.run();
            rest.clear();
        })
    }

    /// Takes over flows that were let go but not handed over.
    fn claim_orphans(
        &self,
        budget: &mut usize,
        report: &mut ReapReport,
        claimed: &mut Claimed<K, V>,
    ) {
        let mut orphans = self.orphans.lock();
        while *budget > 0
            && !claimed.is_full()
            && let Some(orphan) = orphans.pop()
        {
            *budget -= 1;
            count(orphan.reason, report);
            claimed.push(orphan);
        }
        if !orphans.is_empty() {
            self.due.lower(ORPHANAGE, Timestamp::ZERO);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        // The shards' times are lower bounds, and not raised when a flow is taken out early.
        let holds = self.capacity.held() != 0 || !self.orphans.lock().is_empty();
        self.due.earliest().filter(|_| holds)
    }

    /// Calls `reap_shard` for shards where there may be work, until the budget is used up.
    fn reap_shards(
        &self,
        now: Timestamp,
        budget: Budget,
        mut reap_shard: impl FnMut(usize, &mut usize, &mut ReapReport),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        if !self.due.any_due(now) {
            return report;
        }
        let (mut left, shards) = (budget.get(), self.shards.len());
        // Relaxed, and not one step: it only spreads the work.
        let start = self.reap_from.load(Ordering::Relaxed);
        self.reap_from.store(start.wrapping_add(1), Ordering::Relaxed);
        for shard in (0..shards).map(|offset| start.wrapping_add(offset) & (shards - 1)) {
            while left > 0 && self.due.is_due(shard, now) {
                reap_shard(shard, &mut left, &mut report);
            }
        }
        report.more = left == 0 && (0..shards).any(|shard| self.due.is_due(shard, now));
        report
    }
}

fn count(reason: EndReason, report: &mut ReapReport) {
    match reason {
        EndReason::Cancelled => report.cancelled += 1,
        _ => report.expired += 1,
    }
}

/// Whether look-ups may still find a flow that the table has let go.
#[inline]
pub(crate) fn is_findable<K, V>(entry: Entry<K, V>) -> bool {
    entry.state().load().status == Status::Expired && entry.options().on_expiry() == OnExpiry::KeepWhileReferenced
}

/// Claimed flows on their way to a callback. If it panics, the rest waits for the next reap.
struct Batch<'c, K, V> {
    core: &'c Core<K, V>,
    claimed: Claimed<K, V>,
}

impl<K, V> Drop for Batch<'_, K, V> {
    fn drop(&mut self) {
        if !self.claimed.is_empty() {
            self.core.orphan(self.claimed.drain(..));
        }
    }
}
