use arrayvec::ArrayVec;
use flow_table_api::{Direction, EndReason, OnExpiry, ReapReport, Status, Timestamp};

use crate::flows::{Dead, Empty, FlowAt, TableRef};
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
/// the shard. Without slots.
pub(super) struct Unreferenced<K, V> {
    dead: ArrayVec<Dead<K, V>, BATCH>,
    /// Those that are dropped.
    empty: ArrayVec<Empty<K, V>, BATCH>,
}

impl<'s, K, V> Batch<'s, K, V> {
    #[inline]
    pub(super) const fn new(shards: &'s Shards<K, V>) -> Self {
        Self { shards, flows: ArrayVec::new_const() }
    }

    /// Claims flows of a shard that have ended or are due, the dying ones first.
    #[inline]
    pub(super) fn claim(
        &mut self,
        guard: &mut ShardGuard<'_, K, V>,
        now: Timestamp,
        budget: &mut usize,
        report: &mut ReapReport,
    ) {
        let capacity = &self.shards.capacity;
        while *budget > 0
            && !self.flows.is_full()
            && let Some(flow) = guard.pop_dying()
        {
            *budget -= 1;
            self.push(flow, guard, report);
        }
        let dying = self.flows.len();
        if dying > 0 {
            capacity.sub_dying(dying);
        }
        let mut rescheduled = 0;
        guard.search_ended(now, budget, &mut rescheduled, BATCH - dying, |guard, flow| {
            self.push(flow, guard, report);
            true
        });
        report.rescheduled += rescheduled;
        if self.flows.len() > dying {
            capacity.give_back(self.flows.len() - dying);
        }
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
        let mut number = 0;
        while number < self.flows.len() {
            let flow = self.flows[number].0.at();
            let findable = is_findable(flow);
            if flow.is_pair() {
                number += 1;
                if !findable {
                    guard.unlink_key(flow, Direction::Forward);
                }
                continue;
            }
            let dead = self.flows.swap_remove(number).0.release();
            // Whoever else may hold it: nobody frees the entry without this shard's lock.
            if dead.is_some() || !findable {
                guard.unlink_key(flow, Direction::Forward);
            }
            unreferenced.dead.extend(dead);
        }
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
    #[inline]
    pub(super) const fn new() -> Self {
        Self { dead: ArrayVec::new_const(), empty: ArrayVec::new_const() }
    }

    /// Whether no open burst can see the flows, and this thread may drop them now.
    #[inline]
    pub(super) fn unseen(&self, bursts: &Bursts) -> Option<Unseen> {
        if self.dead.is_empty() || nesting::is_deepest() { None } else { bursts.none_open() }
    }

    /// Drops the flows.
    #[inline]
    pub(super) fn drop_flows(&mut self, unseen: &Unseen, panics: &mut Panics) {
        self.empty.extend(self.dead.drain(..).map(|dead| dead.drop_flow(unseen, panics)));
    }

    /// Frees the entries of those that are dropped.
    #[inline]
    pub(super) fn free(&mut self, guard: &mut ShardGuard<'_, K, V>) {
        self.empty.drain(..).for_each(|entry| guard.free(entry));
    }

    /// Those that are not dropped.
    pub(super) fn dead(&mut self) -> &mut ArrayVec<Dead<K, V>, BATCH> {
        &mut self.dead
    }
}

/// Whether look-ups may still find a flow that the table has let go.
#[inline]
fn is_findable<K, V>(flow: FlowAt<K, V>) -> bool {
    let entry = flow.entry();
    entry.state().load().status == Status::Expired && entry.options().on_expiry() == OnExpiry::KeepWhileReferenced
}
