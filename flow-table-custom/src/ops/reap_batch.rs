//! The flows that a reap has claimed under one lock, until they are handed over or dropped.

use arrayvec::ArrayVec;
use flow_table_api::{Direction, EndReason, Ended, OnExpiry, ReapReport, Status, Timestamp};

use crate::flows::{Dead, Empty, FlowAt, Recorder, TableRef};
use crate::grace::{Bursts, Unseen};
use crate::handle::StrongRef;
use crate::nesting;
use crate::panics::Panics;
use crate::shard::{ShardGuard, Shards, reason_of};

/// The most flows that are claimed under one lock.
const BATCH: usize = 64;

/// P4. Flows that a reap has claimed: the table's references to them and their places now belong to the reap.
/// If a callback panics, the table takes the flows that are left when the batch is dropped back, and they wait
/// dying for the next reap.
pub(super) struct Batch<'s, K, V> {
    shards: &'s Shards<K, V>,
    flows: ArrayVec<(TableRef<K, V>, EndReason), BATCH>,
}

/// One-key flows whose last reference was the table's. They have no slots. They are dropped and freed together,
/// with one look at the open bursts, and one more lock of the shard if they need a drop.
pub(super) struct Unreferenced<K, V> {
    dead: ArrayVec<Dead<K, V>, BATCH>,
    /// Entries whose flows are dropped.
    empty: ArrayVec<Empty<K, V>, BATCH>,
}

impl<'s, K, V> Batch<'s, K, V> {
    #[inline]
    pub(super) const fn new(shards: &'s Shards<K, V>) -> Self {
        Self { shards, flows: ArrayVec::new_const() }
    }

    /// Claims flows of a shard that have ended or are due. The dying ones come first.
    #[inline]
    pub(super) fn claim(
        &mut self,
        guard: &mut ShardGuard<'_, K, V>,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
    ) {
        let dying = self.claim_dying(guard, budget, report);
        let mut rescheduled = 0;
        guard.search_ended(now, budget, &mut rescheduled, BATCH - dying, |guard, flow, reason| {
            self.push(flow, reason, guard, report);
            true
        });
        report.rescheduled += rescheduled;
        if self.flows.len() > dying {
            self.shards.capacity.give_back(self.flows.len() - dying);
        }
    }

    /// As [`claim`](Self::claim), but leaves alone what only the timer queue knows.
    pub(super) fn claim_ended(
        &mut self,
        guard: &mut ShardGuard<'_, K, V>,
        budget: &mut usize,
        report: &mut ReapReport,
    ) {
        let dying = self.claim_dying(guard, budget, report);
        let (mut rescheduled, mut most) = (0, BATCH - dying);
        guard.search_noticed(budget, &mut rescheduled, &mut most, &mut |guard, flow, reason| {
            self.push(flow, reason, guard, report);
            true
        });
        report.rescheduled += rescheduled;
        self.shards.capacity.give_back(self.flows.len() - dying);
    }

    /// Claims dying flows, and returns their number.
    #[inline(always)]
    fn claim_dying(
        &mut self,
        guard: &mut ShardGuard<'_, K, V>,
        budget: &mut usize,
        report: &mut ReapReport,
    ) -> usize {
        while *budget > 0
            && !self.flows.is_full()
            && let Some(flow) = guard.pop_dying()
        {
            *budget -= 1;
            self.push(flow, reason_of(flow.entry().state().load().status), guard, report);
        }
        let dying = self.flows.len();
        if dying > 0 {
            self.shards.capacity.sub_dying(dying);
        }
        dying
    }

    /// Claims a flow that has ended, has a place, and is filed nowhere.
    pub(super) fn claim_one(
        &mut self,
        flow: FlowAt<K, V>,
        guard: &mut ShardGuard<'_, K, V>,
        report: &mut ReapReport,
    ) {
        self.push(flow, reason_of(flow.entry().state().load().status), guard, report);
        self.shards.capacity.give_back(1);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Passes the flows to `ended`, in the order in which they were claimed under the lock of `guard`, and under
    /// no lock.
    #[inline(always)]
    pub(super) fn hand_over(
        &mut self,
        mut guard: ShardGuard<'_, K, V>,
        ended: &mut impl FnMut(Ended<StrongRef<K, V>>),
    ) {
        self.prepare(&mut guard);
        drop(guard);
        self.unlink_replies();
        while let Some((flow, reason)) = self.next() {
            ended(Ended { flow: StrongRef::from_table(flow), reason });
        }
    }

    /// Claims one flow, which has ended for this reason and is filed nowhere.
    #[inline]
    fn push(
        &mut self,
        flow: FlowAt<K, V>,
        reason: EndReason,
        guard: &mut ShardGuard<'_, K, V>,
        report: &mut ReapReport,
    ) {
        let Some(own) = guard.claim(flow) else {
            debug_assert!(false, "filed, but not held");
            return;
        };
        match reason {
            EndReason::Cancelled => report.cancelled += 1,
            _ => report.expired += 1,
        }
        self.flows.push((own, reason));
    }

    /// Removes the forward slots of the flows that look-ups must not find any more, and puts the flows in order
    /// for [`next`](Self::next). Call it under the same lock as [`claim`](Self::claim).
    #[inline]
    fn prepare(&mut self, guard: &mut ShardGuard<'_, K, V>) {
        for flow in self.flows.iter().map(|(own, _)| own.at()).filter(|&flow| !is_findable(flow)) {
            guard.unlink_key(flow, Direction::Forward);
        }
        self.flows.reverse();
    }

    /// Removes the reply slots of two-key flows that look-ups must not find any more. No shard is locked.
    pub(super) fn unlink_replies(&self) {
        for flow in self.flows.iter().map(|(own, _)| own.at()).filter(|flow| flow.is_pair()) {
            if !is_findable(flow) {
                let mut guard = self.shards.lock(self.shards.index.shard_of(flow.hash(Direction::Reply)));
                // A reinsertion, which takes this lock too, has happened or cannot come between.
                if flow.entry().state().load().status != Status::Active {
                    guard.unlink_key(flow, Direction::Reply);
                }
            }
        }
    }

    /// Gives up the table's references to the one-key flows, and removes the slots of those that nobody else
    /// holds or that look-ups must not find. Two-key flows stay in the batch. Call it under the same lock as
    /// [`claim`](Self::claim).
    #[inline]
    pub(super) fn release_singles(
        &mut self,
        guard: &mut ShardGuard<'_, K, V>,
        unreferenced: &mut Unreferenced<K, V>,
    ) {
        if self.flows.len() > 1 {
            for (own, _) in &self.flows {
                let hash = own.at().hash(Direction::Forward);
                guard.segment(hash).prefetch(hash);
            }
        }
        let mut pairs = ArrayVec::<_, BATCH>::new_const();
        for (own, reason) in self.flows.drain(..) {
            let flow = own.at();
            if flow.is_pair() {
                if !is_findable(flow) {
                    guard.unlink_key(flow, Direction::Forward);
                }
                pairs.push((own, reason));
                continue;
            }
            let dead = own.release();
            // There may be other holders, but none of them can free the entry without this shard's lock.
            if dead.is_some() || !is_findable(flow) {
                guard.unlink_single(flow);
            }
            if let Some(dead) = dead {
                unreferenced.dead.push(dead);
            }
        }
        if !pairs.is_empty() {
            self.flows.extend(pairs);
        }
    }

    /// Takes one of the flows out. They come in the order in which they were claimed, once they are
    /// [prepared](Self::prepare).
    #[inline]
    pub(super) fn next(&mut self) -> Option<(TableRef<K, V>, EndReason)> {
        self.flows.pop()
    }
}

impl<K, V> Drop for Batch<'_, K, V> {
    #[inline]
    fn drop(&mut self) {
        if !self.flows.is_empty() {
            self.take_back();
        }
    }
}

impl<K, V> Batch<'_, K, V> {
    /// Returns the flows that were not handed over to the table.
    #[cold]
    #[inline(never)]
    fn take_back(&mut self) {
        for (own, _) in self.flows.drain(..) {
            let result = self.shards.lock(own.at().shard()).take_back_ended(own);
            if let Err(own) = result {
                // It was reinserted in the meantime, with another reference, and is not handed over for this
                // end.
                drop(StrongRef::from_table(own));
            }
            self.shards.alarm.ring(Timestamp::ZERO);
        }
    }
}

impl<K, V> Unreferenced<K, V> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { dead: ArrayVec::new_const(), empty: ArrayVec::new_const() }
    }

    /// Returns a proof that no open burst can see the flows, if that is so and this thread may drop them now.
    #[inline]
    pub(super) fn unseen(&self, bursts: &Bursts) -> Option<Unseen> {
        if self.dead.is_empty() || nesting::is_deepest() {
            None
        } else {
            bursts.unseen(self.dead.iter().map(Dead::birth))
        }
    }

    /// Drops the flows.
    #[inline]
    pub(super) fn drop_flows(&mut self, unseen: &Unseen, records: Option<&Recorder<K, V>>, panics: &mut Panics) {
        self.empty.extend(self.dead.drain(..).map(|dead| dead.drop_flow(unseen, records, panics)));
    }

    /// Frees the entries of flows that need no drop and no record.
    #[inline]
    pub(super) fn free_undropped(&mut self, unseen: &Unseen, guard: &mut ShardGuard<'_, K, V>) {
        let mut panics = Panics::none();
        self.dead.drain(..).for_each(|dead| guard.free(dead.drop_flow(unseen, None, &mut panics)));
        panics.resume();
    }

    /// Frees the entries whose flows are dropped.
    #[inline]
    pub(super) fn free(&mut self, guard: &mut ShardGuard<'_, K, V>) {
        self.empty.drain(..).for_each(|entry| guard.free(entry));
    }

    /// The flows that are not dropped yet.
    pub(super) fn dead(&mut self) -> &mut ArrayVec<Dead<K, V>, BATCH> {
        &mut self.dead
    }
}

/// Returns `true` if look-ups may still find a flow that the table has let go.
#[inline]
fn is_findable<K, V>(flow: FlowAt<K, V>) -> bool {
    let entry = flow.entry();
    entry.state().load().status == Status::Expired && entry.options().on_expiry() == OnExpiry::KeepWhileReferenced
}
