//! Reaping: claiming what has ended under the shard's lock, a batch at a time, and letting it go under none.

use arrayvec::ArrayVec;
use flow_table_api::state::Expiry;
use flow_table_api::{Budget, Direction, EndReason, Ended, OnExpiry, ReapReport, Status, Timestamp};

use crate::core::Core;
use crate::doomed::Doomed;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::index::EntryIndex;
use crate::page::Page;
use crate::shard::{Shard, ShardInner};
use crate::slot::Slot;
use crate::sync::{MutexGuard, Ordering};

/// Flows claimed under one lock.
pub(crate) const BATCH: usize = 64;

/// The shard whose reaping sees to orphans.
const ORPHANAGE: usize = 0;

/// A flow that the table has let go: whoever has this owns the table's reference to it.
#[derive(Clone, Copy)]
pub(crate) struct LetGo {
    pub(crate) index: EntryIndex,
    reason: EndReason,
}

/// Flows on their way to whoever asked for them.
pub(crate) type Claimed = ArrayVec<LetGo, BATCH>;

impl<K, V> Core<K, V> {
    /// Ended flows were let go, but not handed over: the next reap does. The reference that they wait with is not one for whose
    /// sake look-ups find them, so they are not found any more. No shard is locked.
    pub(crate) fn orphan(&self, flows: impl IntoIterator<Item = Ended<StrongRef<K, V>>>) {
        for flow in flows {
            self.unlink_ended(Page::of(flow.flow.entry()).1);
            self.orphans.lock().push(flow);
        }
        self.due.lower(ORPHANAGE, Timestamp::ZERO);
    }

    /// The table's reference to a flow that was let go, as a handle.
    pub(crate) fn handle_of(&self, LetGo { index, reason }: LetGo) -> Ended<StrongRef<K, V>> {
        // SAFETY: the table's own reference was counted, and went to whoever has the `LetGo`.
        Ended { flow: unsafe { StrongRef::from_counted(self.entry(index), Direction::Forward) }, reason }
    }

    /// Lets flows of the shard go that have ended or are due, and fills `claimed` with them. No shard is locked by the
    /// caller.
    pub(crate) fn claim(
        &self,
        shard: usize,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        claimed: &mut Claimed,
    ) {
        self.claim_under(shard, self.lock(shard), now, budget, report, claimed);
    }

    /// As [`claim`](Self::claim), with the shard's lock.
    fn claim_under(
        &self,
        shard: usize,
        mut inner: MutexGuard<'_, ShardInner>,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        claimed: &mut Claimed,
    ) {
        self.claim_locked(shard, &mut inner, now, budget, report, claimed);
        for &LetGo { index, .. } in &*claimed {
            if !self.is_findable(index) {
                self.unlink_forward(&mut inner, index);
            }
        }
        drop(inner);
        self.unlink_replies(claimed);
    }

    /// Takes the slot of a flow's forward key out. Its shard is locked.
    #[inline]
    pub(crate) fn unlink_forward(&self, inner: &mut ShardInner, index: EntryIndex) {
        let hash = self.hash_in(index, Direction::Forward);
        self.unlink(inner, hash, Slot::new(index, Direction::Forward));
    }

    /// Takes the reply slots of two-key flows that may not be found any more out of the table.
    pub(crate) fn unlink_replies(&self, claimed: &[LetGo]) {
        for index in claimed.iter().map(|let_go| let_go.index) {
            if index.is_pair() && !self.is_findable(index) {
                self.unlink_unless_active(index, Direction::Reply);
            }
        }
    }

    /// Whether look-ups may still find a flow that the table has let go.
    #[inline]
    pub(crate) fn is_findable(&self, index: EntryIndex) -> bool {
        let entry = self.entry(index);
        entry.state().load().status == Status::Expired
            && entry.options().on_expiry() == OnExpiry::KeepWhileReferenced
    }

    fn claim_locked(
        &self,
        shard: usize,
        inner: &mut ShardInner,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        claimed: &mut Claimed,
    ) {
        let Shard { notices, counters, .. } = &*self.shards[shard];
        let mut expired = 0;
        while *budget > 0 && !claimed.is_full() && !notices.is_empty() {
            let Some(notice) = notices.pop() else { break };
            let entry = self.entry(notice.entry);
            let current = entry.refs().generation() == notice.generation && entry.options().own(HELD);
            if current && entry.state().load().status != Status::Active {
                *budget -= 1;
                inner.timers.disarm(notice.entry, &mut self.filed());
                claimed.push(self.claim_one(notice.entry, report));
            }
        }
        while !claimed.is_full() {
            let due = inner.timers.pop_due(now, budget, &mut report.rescheduled, &mut self.filed());
            let Some(index) = due else { break };
            match self.entry(index).state().expire(now) {
                Expiry::Expired => expired += 1,
                Expiry::NotActive(_) => {}
                Expiry::NotDue(deadline) => {
                    // A refresh came between.
                    report.rescheduled += 1;
                    inner.timers.rearm(index, deadline, &mut self.filed());
                    continue;
                }
            }
            claimed.push(self.claim_one(index, report));
        }
        if !claimed.is_empty() {
            self.capacity.give_back(claimed.len());
            counters.expired.add(expired);
        }
        self.due.settle(shard, inner.timers.next_due());
        if !notices.is_empty() || shard == ORPHANAGE && !self.orphans.lock().is_empty() {
            self.due.lower(shard, Timestamp::ZERO);
        }
    }

    /// Takes the table's reference to a flow that has ended and is not filed any more. Its shard is locked.
    #[inline]
    fn claim_one(&self, index: EntryIndex, report: &mut ReapReport) -> LetGo {
        let entry = self.entry(index);
        let held = entry.options().clear_own(HELD);
        debug_assert!(held, "filed, but not held");
        let reason = match entry.state().load().status {
            Status::Cancelled => EndReason::Cancelled,
            _ => EndReason::Expired,
        };
        count(reason, report);
        LetGo { index, reason }
    }

    pub(crate) fn reap_with(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            if shard == ORPHANAGE {
                self.claim_orphans(left, report, &mut ended);
            }
            let Some(inner) = self.shards[shard].enter(wait) else { return false };
            let mut batch = Batch { core: self, claimed: Claimed::new() };
            self.claim_under(shard, inner, now, left, report, &mut batch.claimed);
            batch.claimed.reverse();
            while let Some(let_go) = batch.claimed.pop() {
                ended(self.handle_of(let_go));
            }
            true
        })
    }

    /// As [`reap_with`](Self::reap_with), dropping what ended: one-key flows that nobody else holds are taken out and freed
    /// in batches, not one by one.
    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            if shard == ORPHANAGE {
                self.claim_orphans(left, report, &mut drop);
            }
            let Some(mut inner) = self.shards[shard].enter(wait) else { return false };
            let mut batch = Batch { core: self, claimed: Claimed::new() };
            let mut doomed = Doomed::new(self, shard);
            self.claim_locked(shard, &mut inner, now, left, report, &mut batch.claimed);
            doomed.take_from(&mut inner, &mut batch.claimed);
            drop(inner);
            self.unlink_replies(&batch.claimed);
            doomed.run();
            while let Some(let_go) = batch.claimed.pop() {
                drop(self.handle_of(let_go));
            }
            true
        })
    }

    /// Hands over flows that were let go before.
    fn claim_orphans(
        &self,
        budget: &mut usize,
        report: &mut ReapReport,
        ended: &mut impl FnMut(Ended<StrongRef<K, V>>),
    ) {
        while *budget > 0 {
            let orphan = self.orphans.lock().pop();
            let Some(orphan) = orphan else { return };
            *budget -= 1;
            count(orphan.reason, report);
            ended(orphan);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        // The shards' times are lower bounds, and not raised when a flow is taken out early.
        let holds = self.capacity.held() != 0 || !self.orphans.lock().is_empty();
        self.due.earliest().filter(|_| holds)
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
        let due = self.due.due_shards(now);
        if due == 0 {
            return report;
        }
        // Relaxed, and not one step: it only spreads the work. Shards from there on come first, then those before.
        let from = self.reap_from.load(Ordering::Relaxed);
        let ahead = u64::MAX << from;
        let mut visit = |mut shards: u64, wait: bool| {
            let mut busy = 0;
            while shards != 0 && left > 0 {
                let shard = shards.trailing_zeros() as usize;
                shards &= shards - 1;
                while left > 0 && self.due.is_due(shard, now) {
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
        report.more = left == 0 && self.due.due_shards(now) != 0;
        report
    }
}

fn count(reason: EndReason, report: &mut ReapReport) {
    match reason {
        EndReason::Cancelled => report.cancelled += 1,
        _ => report.expired += 1,
    }
}

/// Flows that were let go. If a callback or a value's drop panics, the rest waits for the next reap.
struct Batch<'c, K, V> {
    core: &'c Core<K, V>,
    claimed: Claimed,
}

impl<K, V> Drop for Batch<'_, K, V> {
    fn drop(&mut self) {
        if !self.claimed.is_empty() {
            self.core.orphan(self.claimed.drain(..).map(|let_go| self.core.handle_of(let_go)));
        }
    }
}
