use flow_table_api::{Answer, Budget, Direction, EndReason, Ended, Flow, ReapReport, Status, Timestamp};

use crate::base::id::FlowId;
use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::strong::Strong;
use crate::queue::filed::{Answered, Visit};
use crate::queue::queue::{LockedQueue, Queue};

/// What a reap that asks has found.
enum Found<K, V> {
    Ended(Ended<FlowHandle<K, V>>),
    /// A flow to ask about, which has not ended.
    Active(FlowId, Strong<K, V>),
}

impl<K, V> Core<K, V> {
    /// As [`reap`](Self::reap), but asks about a flow before it expires, and about the live flows that come up.
    pub(crate) fn reap_asking<'c>(
        &'c self,
        queues: impl IntoIterator<Item = &'c Queue<K, V>>,
        now: Timestamp,
        budget: Budget,
        mut ask: impl FnMut(&FlowHandle<K, V>) -> Answer,
        mut hand_over: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        for queue in queues {
            while queue.has_due(now) {
                if report.visited() >= budget.get() {
                    report.more = true;
                    break;
                }
                let ended = match self.come_up(queue, now) {
                    Visit::Nothing => break,
                    Visit::Rescheduled => None,
                    Visit::Ended(Found::Ended(ended)) => Some(ended),
                    Visit::Ended(Found::Active(id, flow)) => {
                        let flow = FlowHandle::new(flow, Direction::Forward);
                        Asked { core: self, queue, id, now, flow: Some(flow) }.settle(&mut ask)
                    }
                };
                let Some(ended) = ended else {
                    report.rescheduled += 1;
                    continue;
                };
                match ended.reason {
                    EndReason::Cancelled => report.cancelled += 1,
                    _ => report.expired += 1,
                }
                hand_over(ended);
            }
        }
        self.give_back_memory();
        report
    }

    /// Takes a flow that has ended, or finds one to ask about.
    fn come_up(&self, queue: &Queue<K, V>, now: Timestamp) -> Visit<Found<K, V>> {
        let mut locked = queue.lock();
        if let Some(ended) = self.take_dying(&mut locked) {
            return Visit::Ended(Found::Ended(ended));
        }
        match locked.come_up(now) {
            Visit::Ended((id, Some(flow))) => Visit::Ended(Found::Active(id, flow)),
            Visit::Ended((id, None)) => Visit::Ended(Found::Ended(self.take_ended(&mut locked, id))),
            Visit::Rescheduled => Visit::Rescheduled,
            Visit::Nothing => Visit::Nothing,
        }
    }
}

/// A flow that a reap asks about. If the callback panics, the flow is filed again.
struct Asked<'c, K, V> {
    core: &'c Core<K, V>,
    queue: &'c Queue<K, V>,
    id: FlowId,
    now: Timestamp,
    /// `None` once the answer is there.
    flow: Option<FlowHandle<K, V>>,
}

impl<K, V> Asked<'_, K, V> {
    /// Asks, and files or ends the flow.
    fn settle(mut self, ask: &mut impl FnMut(&FlowHandle<K, V>) -> Answer) -> Option<Ended<FlowHandle<K, V>>> {
        let flow = self.flow.as_ref()?;
        // It may have ended since it was found.
        let answer = if flow.status() == Status::Active { ask(flow) } else { Answer::Proceed };
        // Dropped under no lock. It may be the last reference.
        let _flow = self.flow.take();
        let mut locked: LockedQueue<'_, K, V> = self.queue.lock();
        match locked.answered(self.id, answer, self.now) {
            Answered::Ended => Some(self.core.take_ended(&mut locked, self.id)),
            Answered::Filed(time) => {
                drop(locked);
                self.core.shared.ring(time);
                None
            }
            Answered::Gone => None,
        }
    }
}

impl<K, V> Drop for Asked<'_, K, V> {
    fn drop(&mut self) {
        if self.flow.is_some() {
            let filing = self.queue.lock().file_again(self.id, self.now);
            if let Some(time) = filing {
                self.core.shared.ring(time);
            }
        }
    }
}
