//! Reaping: claiming what has ended under the shard's lock, a batch at a time, and letting it go under none.

use arrayvec::ArrayVec;
use flow_table_api::state::Expiry;
use flow_table_api::{Budget, Direction, EndReason, Ended, OnExpiry, ReapReport, Status, Timestamp};

use crate::core::Core;
use crate::doomed::Doomed;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::index::EntryIndex;
use crate::notices::Notices;
use crate::panics::Panics;
use crate::shard::{Shard, ShardInner};
use crate::slot::Slot;
use crate::sync::{MutexGuard, Ordering};

/// Flows that a reap lets go beyond twice as many as there were when it came.
const SPARE: usize = 1_024;

/// Flows claimed under one lock.
pub(crate) const BATCH: usize = 64;

/// A flow that the table has let go: whoever has this owns the table's reference to it.
#[derive(Clone, Copy)]
pub(crate) struct LetGo {
    pub(crate) index: EntryIndex,
    reason: EndReason,
}

/// Flows on their way to whoever asked for them.
pub(crate) type Claimed = ArrayVec<LetGo, BATCH>;

impl<K, V> Core<K, V> {
    /// The table takes a flow back that it has let go and that could not be handed over: the next reap does it. The flow has kept its
    /// place in the capacity. No shard is locked.
    pub(crate) fn take_back_ended(&self, let_go: LetGo) {
        let LetGo { index, .. } = let_go;
        let (entry, shard) = (self.entry(index), self.page_of(index).shard());
        let inner = self.lock(shard);
        if entry.options().own(HELD) {
            // It was put back meanwhile, with another reference and place, and is not handed over for this end.
            drop(inner);
            self.capacity.give_back(1);
            drop(self.handle_of(let_go));
            return;
        }
        entry.options().set_own(HELD);
        self.notify(entry);
    }

    /// The table's reference to a flow that was let go, as a handle.
    pub(crate) fn handle_of(&self, LetGo { index, reason }: LetGo) -> Ended<StrongRef<K, V>> {
        // SAFETY: the table's own reference was counted, and went to whoever has the `LetGo`.
        Ended { flow: unsafe { StrongRef::from_counted(self.entry(index), Direction::Forward) }, reason }
    }

    /// Lets flows of the shard go that have ended or are due, and adds them to those claimed, until there are `most`. Their places in
    /// the capacity go to the caller, who has locked no shard.
    pub(crate) fn claim(
        &self,
        shard: usize,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        (claimed, most): (&mut Claimed, usize),
    ) {
        self.claim_under(shard, self.lock(shard), now, budget, report, (claimed, most));
    }

    /// As [`claim`](Self::claim), with the shard's lock.
    fn claim_under(
        &self,
        shard: usize,
        mut inner: MutexGuard<'_, ShardInner>,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
        (claimed, most): (&mut Claimed, usize),
    ) {
        self.claim_locked(shard, &mut inner, now, budget, report, (&mut *claimed, most));
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
        (claimed, most): (&mut Claimed, usize),
    ) {
        let Shard { notices, counters, .. } = &*self.shards[shard];
        let mut expired = 0;
        self.claim_noticed(notices, inner, budget, report, (&mut *claimed, most));
        while claimed.len() < most {
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
        if expired > 0 {
            counters.expired.add(expired);
        }
        self.due.settle(shard, inner.timers.next_due());
        if !notices.is_empty() {
            self.due.lower(shard, Timestamp::ZERO);
        }
    }

    /// Lets flows go that ended without the shard's lock. A notice about a flow that came back, or is gone, is a visit too.
    fn claim_noticed(
        &self,
        notices: &Notices,
        inner: &mut ShardInner,
        budget: &mut usize,
        report: &mut ReapReport,
        (claimed, most): (&mut Claimed, usize),
    ) {
        while *budget > 0
            && claimed.len() < most
            && let Some(slot) = notices.take()
        {
            for pair in [false, true] {
                let noticed = |inner: &mut ShardInner| {
                    let mut pages = inner.slab(pair).pages_of_slot(slot);
                    pages.find(|&page| !self.page(page, pair).notices().is_empty())
                };
                while *budget > 0
                    && claimed.len() < most
                    && let Some(page) = noticed(inner)
                    && let Some(place) = self.page(page, pair).notices().take()
                {
                    *budget -= 1;
                    let index = EntryIndex::new(page, place, pair);
                    let entry = self.entry(index);
                    if entry.options().own(HELD) && entry.state().load().status != Status::Active {
                        inner.timers.disarm(index, &mut self.filed());
                        claimed.push(self.claim_one(index, report));
                    } else {
                        report.rescheduled += 1;
                    }
                }
                if noticed(inner).is_some() {
                    notices.put(slot);
                }
            }
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
            let Some(inner) = self.shards[shard].enter(wait) else { return false };
            let mut batch = Batch { core: self, claimed: Claimed::new() };
            self.claim_under(shard, inner, now, left, report, (&mut batch.claimed, BATCH));
            batch.claimed.reverse();
            while let Some(let_go) = batch.claimed.pop() {
                self.capacity.give_back(1);
                ended(self.handle_of(let_go));
            }
            true
        })
    }

    /// As [`reap_with`](Self::reap_with), dropping what ended: one-key flows that nobody else holds are taken out and freed
    /// in batches, not one by one.
    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut inner) = self.shards[shard].enter(wait) else { return false };
            let (mut claimed, mut doomed) = (Claimed::new(), Doomed::new(self, shard));
            self.claim_locked(shard, &mut inner, now, left, report, (&mut claimed, BATCH));
            if !claimed.is_empty() {
                self.capacity.give_back(claimed.len());
            }
            doomed.take_from(&mut inner, &mut claimed);
            drop(inner);
            self.unlink_replies(&claimed);
            let mut panics = Panics::none();
            doomed.run(&mut panics);
            panics.repeat(|| claimed.pop().map(|let_go| drop(self.handle_of(let_go))).is_some());
            panics.resume();
            true
        })
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        // The shards' times are lower bounds, and not raised when a flow is taken out early.
        self.due.earliest().filter(|_| self.capacity.held() != 0)
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
        // What callbacks put back due, for ever, is for the next reap in the end.
        let most = 2 * self.capacity.held() + SPARE;
        // Relaxed, and not one step: it only spreads the work. Shards from there on come first, then those before.
        let from = self.reap_from.load(Ordering::Relaxed);
        let ahead = u64::MAX << from;
        let mut visit = |mut shards: u64, wait: bool| {
            let mut busy = 0;
            while shards != 0 && left > 0 {
                let shard = shards.trailing_zeros() as usize;
                shards &= shards - 1;
                while left > 0 && report.expired + report.cancelled <= most && self.due.is_due(shard, now) {
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
        report.more = !all && self.due.due_shards(now) != 0;
        report
    }
}

fn count(reason: EndReason, report: &mut ReapReport) {
    match reason {
        EndReason::Cancelled => report.cancelled += 1,
        _ => report.expired += 1,
    }
}

/// Flows that were let go. If the callback panics, the rest waits for the next reap.
struct Batch<'c, K, V> {
    core: &'c Core<K, V>,
    claimed: Claimed,
}

impl<K, V> Drop for Batch<'_, K, V> {
    fn drop(&mut self) {
        self.claimed.drain(..).for_each(|let_go| self.core.take_back_ended(let_go));
    }
}
