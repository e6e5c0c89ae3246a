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
use crate::sync::Ordering;
use crate::timer::Entries as _;

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
    /// The table's reference to a flow that was let go, as a handle.
    fn handle_of(&self, LetGo { index, reason }: LetGo) -> Ended<StrongRef<K, V>> {
        // SAFETY: the table's own reference was counted, and went to whoever has the `LetGo`.
        Ended { flow: unsafe { StrongRef::from_counted(self.entry(index), Direction::Forward) }, reason }
    }

    /// Takes the slot of a flow's forward key out. Its shard is locked.
    #[inline]
    pub(crate) fn unlink_forward(&self, inner: &mut ShardInner, index: EntryIndex) {
        let hash = self.hash_in(index, Direction::Forward);
        self.unlink(inner, hash, Slot::new(index, Direction::Forward));
    }

    /// Takes the reply slots of two-key flows that may not be found any more out of the table.
    fn unlink_replies(&self, claimed: &[LetGo]) {
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

    /// Lets flows of a shard go that have ended or are due, the dying ones first: their references and places are the table's no
    /// longer. Its shard is locked.
    fn claim(
        &self,
        shard: usize,
        inner: &mut ShardInner,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
    ) -> Claimed {
        let mut claimed = Claimed::new();
        while *budget > 0
            && !claimed.is_full()
            && let Some(index) = inner.dying.pop(&mut self.filed())
        {
            *budget -= 1;
            claimed.push(self.claim_one(index, report));
        }
        let dying = claimed.len();
        if dying > 0 {
            self.capacity.sub_dying(dying);
        }
        let mut rescheduled = 0;
        self.search_ended(shard, inner, now, budget, &mut rescheduled, BATCH - dying, |_, index| {
            claimed.push(self.claim_one(index, report));
        });
        report.rescheduled += rescheduled;
        if claimed.len() > dying {
            self.capacity.give_back(claimed.len() - dying);
        }
        claimed
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

    /// Searches a shard, within the budget, for flows that have a place in the table and have ended or are due; passes at most `most` of them
    /// on to `take`, filed nowhere any more. The shard is locked.
    #[inline]
    pub(crate) fn search_ended(
        &self,
        shard: usize,
        inner: &mut ShardInner,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        mut most: usize,
        mut take: impl FnMut(&mut ShardInner, EntryIndex),
    ) {
        let Shard { notices, counters, .. } = &*self.shards[shard];
        let mut expired = 0;
        self.search_noticed(notices, inner, budget, rescheduled, &mut most, &mut take);
        while most > 0 {
            let due = inner.timers.pop_due(now, budget, rescheduled, &mut self.filed());
            let Some(index) = due else { break };
            match self.entry(index).state().expire(now) {
                Expiry::Expired => expired += 1,
                Expiry::NotActive(_) => {}
                Expiry::NotDue(deadline) => {
                    // A refresh came between.
                    *rescheduled += 1;
                    inner.timers.rearm(index, deadline, &mut self.filed());
                    continue;
                }
            }
            most -= 1;
            take(inner, index);
        }
        if expired > 0 {
            counters.expired.add(expired);
        }
        self.due.settle(shard, inner.timers.next_due());
        if !notices.is_empty() || !inner.dying.is_empty() {
            self.due.lower(shard, Timestamp::ZERO);
        }
    }

    /// The part of [`search_ended`](Self::search_ended) for flows that ended without the shard's lock. A notice about a flow that came
    /// back, is gone or is dying is a visit too.
    fn search_noticed(
        &self,
        notices: &Notices,
        inner: &mut ShardInner,
        budget: &mut usize,
        rescheduled: &mut usize,
        most: &mut usize,
        take: &mut impl FnMut(&mut ShardInner, EntryIndex),
    ) {
        while *budget > 0
            && *most > 0
            && let Some(slot) = notices.take()
        {
            for pair in [false, true] {
                let noticed = |inner: &mut ShardInner| {
                    let mut pages = inner.slab(pair).pages_of_slot(slot);
                    pages.find(|&page| !self.page(page, pair).notices().is_empty())
                };
                while *budget > 0
                    && *most > 0
                    && let Some(page) = noticed(inner)
                    && let Some(place) = self.page(page, pair).notices().take()
                {
                    *budget -= 1;
                    let index = EntryIndex::new(page, place, pair);
                    let entry = self.entry(index);
                    if entry.options().own(HELD)
                        && entry.state().load().status != Status::Active
                        && !self.filed().position(index).is_dying()
                    {
                        inner.timers.disarm(index, &mut self.filed());
                        *most -= 1;
                        take(inner, index);
                    } else {
                        *rescheduled += 1;
                    }
                }
                if noticed(inner).is_some() {
                    notices.put(slot);
                }
            }
        }
    }

    pub(crate) fn reap_with(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut inner) = self.shards[shard].enter(wait) else { return false };
            let mut batch = Batch { core: self, claimed: self.claim(shard, &mut inner, now, left, report) };
            for &LetGo { index, .. } in &batch.claimed {
                if !self.is_findable(index) {
                    self.unlink_forward(&mut inner, index);
                }
            }
            drop(inner);
            self.unlink_replies(&batch.claimed);
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
            let Some(mut inner) = self.shards[shard].enter(wait) else { return false };
            let (mut claimed, mut doomed) =
                (self.claim(shard, &mut inner, now, left, report), Doomed::new(self, shard));
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

    /// The flow has ended and gives up its place in the table: it waits for a reap. Its shard is locked.
    pub(crate) fn die(&self, inner: &mut ShardInner, index: EntryIndex) {
        inner.timers.disarm(index, &mut self.filed());
        inner.dying.push(index, &mut self.filed());
        self.capacity.add_dying();
        self.due.lower(self.page_of(index).shard(), Timestamp::ZERO);
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        // The shards' times are lower bounds, and not raised when a flow is taken out early.
        self.due.earliest().filter(|_| self.capacity.held() + self.capacity.dying() != 0)
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
        let most = 2 * (self.capacity.held() + self.capacity.dying()) + SPARE;
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

/// Flows that were let go. If the callback panics, the rest waits for the next reap, dying.
struct Batch<'c, K, V> {
    core: &'c Core<K, V>,
    claimed: Claimed,
}

impl<K, V> Drop for Batch<'_, K, V> {
    fn drop(&mut self) {
        let Self { core, claimed } = self;
        for LetGo { index, reason } in claimed.drain(..) {
            let mut inner = core.lock(core.page_of(index).shard());
            if core.entry(index).options().set_own(HELD) {
                // It was put back meanwhile, with another reference, and is not handed over for this end.
                drop(inner);
                drop(core.handle_of(LetGo { index, reason }));
            } else {
                core.die(&mut inner, index);
            }
        }
    }
}
