use arrayvec::ArrayVec;
use flow_table_api::{Direction, EndReason, OnExpiry, ReapReport, Status, Timestamp};

use crate::flows::{Dead, FlowAt, TableRef};
use crate::grace::{Bursts, Unseen};
use crate::handle::StrongRef;
use crate::nesting;
use crate::panics::Panics;
use crate::shard::{ShardGuard, Shards};

/// Flows claimed under one lock.
const BATCH: usize = 64;

/// Flows that a reap has claimed: their references and places are the table's no longer. Those that are left when this is dropped, as a
/// callback has panicked, are the table's again and wait for the next reap, dying.
pub(super) struct Batch<'s, K, V> {
    shards: &'s Shards<K, V>,
    flows: ArrayVec<(TableRef<K, V>, EndReason), BATCH>,
}

/// One-key flows whose last reference was the table's: dropped and freed together, with one look at the open bursts and one more lock of
/// the shard. Without slots, but with keys and values.
pub(super) struct Unreferenced<K, V> {
    flows: ArrayVec<Dead<K, V>, BATCH>,
    /// If no open burst can see them.
    unseen: Option<Unseen>,
}

impl<'s, K, V> Batch<'s, K, V> {
    /// Claims flows of a shard that have ended or are due, the dying ones first.
    pub(super) fn claim(
        shards: &'s Shards<K, V>,
        guard: &mut ShardGuard<'_, K, V>,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
    ) -> Self {
        let mut batch = Self { shards, flows: ArrayVec::new_const() };
        while *budget > 0
            && !batch.flows.is_full()
            && let Some(flow) = guard.pop_dying()
        {
            *budget -= 1;
            batch.push(flow, guard, report);
        }
        let dying = batch.flows.len();
        if dying > 0 {
            shards.capacity.sub_dying(dying);
        }
        let mut rescheduled = 0;
        guard.search_ended(now, budget, &mut rescheduled, BATCH - dying, |guard, flow| {
            batch.push(flow, guard, report)
        });
        report.rescheduled += rescheduled;
        if batch.flows.len() > dying {
            shards.capacity.give_back(batch.flows.len() - dying);
        }
        batch
    }

    /// Claims one flow, which has ended and is filed nowhere.
    #[inline]
    fn push(&mut self, flow: FlowAt<K, V>, guard: &mut ShardGuard<'_, K, V>, report: &mut ReapReport) {
        let Some(own) = guard.claim(flow) else {
            debug_assert!(false, "filed, but not held");
            return;
        };
        let reason = match flow.entry().state().load().status {
            Status::Cancelled => EndReason::Cancelled,
            _ => EndReason::Expired,
        };
        match reason {
            EndReason::Cancelled => report.cancelled += 1,
            _ => report.expired += 1,
        }
        self.flows.push((own, reason));
    }

    /// Takes the forward slots of the flows out that may not be found any more, and puts the flows in order for
    /// [`next`](Self::next). Under the same lock.
    pub(super) fn prepare(&mut self, guard: &mut ShardGuard<'_, K, V>) {
        for flow in self.flows.iter().map(|(own, _)| own.at()).filter(|&flow| !is_findable(flow)) {
            guard.unlink_key(flow, Direction::Forward);
        }
        self.flows.reverse();
    }

    /// Takes the reply slots of two-key flows out that may not be found any more. No shard is locked.
    pub(super) fn unlink_replies(&self) {
        for flow in self.flows.iter().map(|(own, _)| own.at()).filter(|flow| flow.is_pair()) {
            if !is_findable(flow) {
                let mut guard = self.shards.lock(self.shards.index.shard_of(flow.hash(Direction::Reply)));
                // Reinsertion, which holds this lock too, has happened or cannot come between.
                if flow.entry().state().load().status != Status::Active {
                    guard.unlink_key(flow, Direction::Reply);
                }
            }
        }
    }

    /// Gives up the table's references to the one-key flows, and takes the slots of those out that nobody else holds or that may not be
    /// found. Two-key flows stay. Under the same lock.
    pub(super) fn release_singles(
        &mut self,
        guard: &mut ShardGuard<'_, K, V>,
        bursts: &Bursts,
    ) -> Unreferenced<K, V> {
        if self.flows.len() > 1 {
            for (own, _) in &self.flows {
                let hash = own.at().hash(Direction::Forward);
                guard.segment(hash).prefetch(hash);
            }
        }
        let (mut pairs, mut unreferenced) = (ArrayVec::new_const(), ArrayVec::new_const());
        for (own, reason) in self.flows.drain(..) {
            let flow = own.at();
            let findable = is_findable(flow);
            if flow.is_pair() {
                if !findable {
                    guard.unlink_key(flow, Direction::Forward);
                }
                pairs.push((own, reason));
                continue;
            }
            let dead = own.release();
            // Whoever else may hold it: nobody frees the entry without this shard's lock.
            if dead.is_some() || !findable {
                guard.unlink_key(flow, Direction::Forward);
            }
            unreferenced.extend(dead);
        }
        self.flows = pairs;
        let mut unreferenced = Unreferenced { flows: unreferenced, unseen: None };
        if !unreferenced.flows.is_empty() && !nesting::is_deepest() {
            unreferenced.unseen = bursts.none_open();
            if const { !std::mem::needs_drop::<(K, V)>() } {
                unreferenced.free_under(guard);
            }
        }
        unreferenced
    }

    /// One of the flows, which is the caller's then; in the order of their claims, once [prepared](Self::prepare).
    #[inline]
    pub(super) fn next(&mut self) -> Option<(TableRef<K, V>, EndReason)> {
        self.flows.pop()
    }
}

impl<K, V> Drop for Batch<'_, K, V> {
    fn drop(&mut self) {
        for (own, _) in self.flows.drain(..) {
            let result = self.shards.lock(own.at().shard()).take_back_ended(own);
            if let Err(own) = result {
                // It was put back meanwhile, with another reference, and is not handed over for this end.
                drop(StrongRef::from_table(own));
            }
        }
    }
}

impl<K, V> Unreferenced<K, V> {
    /// Frees the entries of flows that need no drop, while their shard is locked.
    fn free_under(&mut self, guard: &mut ShardGuard<'_, K, V>) {
        if let Some(unseen) = &self.unseen {
            let mut panics = Panics::none();
            self.flows.drain(..).for_each(|dead| guard.free(dead.drop_flow(unseen, &mut panics)));
            panics.resume();
        }
    }

    /// Drops the flows and frees their entries in the shard. Returns those that must wait for bursts. No shard is locked.
    pub(super) fn drop_in(
        self,
        shards: &Shards<K, V>,
        shard: usize,
        panics: &mut Panics,
    ) -> ArrayVec<Dead<K, V>, BATCH> {
        let Self { flows, unseen } = self;
        let Some(unseen) = unseen else { return flows };
        if !flows.is_empty() {
            let empty: ArrayVec<_, BATCH> =
                flows.into_iter().map(|dead| dead.drop_flow(&unseen, panics)).collect();
            let mut guard = shards.lock(shard);
            empty.into_iter().for_each(|entry| guard.free(entry));
        }
        ArrayVec::new_const()
    }
}

/// Whether look-ups may still find a flow that the table has let go.
#[inline]
fn is_findable<K, V>(flow: FlowAt<K, V>) -> bool {
    let entry = flow.entry();
    entry.state().load().status == Status::Expired && entry.options().on_expiry() == OnExpiry::KeepWhileReferenced
}
