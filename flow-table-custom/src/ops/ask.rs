//! A reap that asks about the flows that come up (contract R8).
//!
//! # Ground rules
//!
//! * P14. A flow that is asked about is held by the table and filed nowhere, so no other reap finds it in the
//!   queue. Its position is the number of the question, so the reap knows afterwards if the flow has been filed
//!   since, also if it was taken out again for another question. All other operations treat the flow as usual. If
//!   it ends meanwhile, a notice about it is left, as about any flow (P9).
//! * After the question, under the shard's lock, the reap looks at what became of the flow. If the table still
//!   holds it, and nobody has filed it (a reinsertion does), and it is active, the reap ends it or files it. This
//!   also happens if the callback panics ([`Asked`]).
//! * One flow of a shard is taken out at a time. The others stay where insertions that look for room, and other
//!   reaps, find them.

use flow_table_api::state::Expiry;
use flow_table_api::{Answer, Budget, Direction, Ended, Flow, ReapReport, Status, Timestamp};

use super::reap_batch::Batch;
use crate::core::Core;
use crate::flows::FlowAt;
use crate::handle::StrongRef;
use crate::shard::{Question, ShardGuard};

impl<K: Send + Sync, V: Send + Sync> Core<K, V> {
    /// As [`reap_with`](Self::reap_with), but asks about a flow before it expires, and about the live flows that
    /// come up.
    pub(crate) fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ask: impl FnMut(&StrongRef<K, V>) -> Answer,
        mut ended: impl FnMut(Ended<StrongRef<K, V>>),
    ) -> ReapReport {
        self.reap_shards(now, budget, |shard, wait, left, report| {
            let Some(mut guard) = self.shards.enter(shard, wait) else { return false };
            let mut batch = Batch::new(&self.shards);
            batch.claim_ended(&mut guard, left, report);
            let mut asked = None;
            if *left > 0
                && batch.is_empty()
                && let Some((flow, _)) = guard.pop_up(now)
            {
                *left -= 1;
                if flow.entry().state().load().status == Status::Active {
                    asked = Some(Asked::new(self, flow, now, &mut guard));
                } else {
                    batch.claim_one(flow, &mut guard, report);
                }
            }
            guard.settle();
            batch.hand_over(guard, &mut ended);
            if let Some(asked) = asked {
                asked.settle(&mut ask, report, &mut ended);
            }
            true
        })
    }
}

/// A flow to ask about. If that panics, the flow is filed again.
struct Asked<'c, K: Send + Sync, V: Send + Sync> {
    core: &'c Core<K, V>,
    now: Timestamp,
    question: Question,
    /// `None` once the answer is there.
    flow: Option<StrongRef<K, V>>,
}

impl<'c, K: Send + Sync, V: Send + Sync> Asked<'c, K, V> {
    /// `flow` is active and was taken out of the queue.
    fn new(core: &'c Core<K, V>, flow: FlowAt<K, V>, now: Timestamp, guard: &mut ShardGuard<'_, K, V>) -> Self {
        let question = guard.mark_asked(flow);
        let held = StrongRef::acquire(flow.entry(), Direction::Forward).expect("the table has a reference");
        Self { core, now, question, flow: Some(held) }
    }

    /// Asks, and files the flow, or ends it and hands it over.
    fn settle(
        mut self,
        ask: &mut impl FnMut(&StrongRef<K, V>) -> Answer,
        report: &mut ReapReport,
        ended: &mut impl FnMut(Ended<StrongRef<K, V>>),
    ) {
        let Some(flow) = &self.flow else { return };
        // It may have ended since it was taken out.
        let answer = if flow.status() == Status::Active { ask(flow) } else { Answer::Proceed };
        // Dropped under no lock. It may be the last reference.
        let Some(flow) = self.flow.take() else { return };
        let (at, now, shards) = (flow.at(), self.now, &self.core.shards);
        let mut guard = shards.lock(at.shard());
        let filing = match answer {
            _ if !guard.end_question(at, self.question) => None,
            Answer::AskAgain(time) if now < time => deadline_at_least(at, time, now).map(|it| it.min(time)),
            Answer::AskAgain(_) | Answer::Proceed => match guard.expire(at, now) {
                Expiry::NotDue(deadline) => Some(shards.filing(deadline, now)),
                Expiry::NotActive(_) => None,
                Expiry::Expired => {
                    let mut batch = Batch::new(shards);
                    batch.claim_one(at, &mut guard, report);
                    return batch.hand_over(guard, ended);
                }
            },
        };
        report.rescheduled += 1;
        if let Some(time) = filing {
            guard.file(at, time);
            drop(guard);
            shards.alarm.ring(time);
        }
    }
}

impl<K: Send + Sync, V: Send + Sync> Drop for Asked<'_, K, V> {
    fn drop(&mut self) {
        let Some(flow) = &self.flow else { return };
        let (at, shards) = (flow.at(), &self.core.shards);
        let mut guard = shards.lock(at.shard());
        let word = at.entry().state().load();
        if guard.end_question(at, self.question) && word.status == Status::Active {
            // The next reap asks again. This one ends by the panic.
            let time = word.deadline.min(self.now);
            guard.file(at, time);
            drop(guard);
            shards.alarm.ring(time);
        }
    }
}

/// Moves the deadline of an active flow to `time` if it has passed. Returns the flow's deadline, if it is active.
fn deadline_at_least<K, V>(flow: FlowAt<K, V>, time: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let word = flow.entry().state().load();
    if word.is_live(now) { Some(word.deadline) } else { flow.entry().state().postpone(time) }
}
