use std::sync::atomic::Ordering;

use flow_table_api::{Budget, Direction, EndReason, Ended, ReapReport, Timestamp};

use crate::base::id::FlowId;
use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::strong::Strong;
use crate::queue::filed::Visit;
use crate::queue::queue::{LockedQueue, Queue};

impl<K, V> Core<K, V> {
    /// All queues, if there is anything to do at `now`. Begins with another queue each time, so that a small
    /// budget starves none.
    pub(crate) fn queues_in_turn(&self, now: Timestamp) -> impl Iterator<Item = &Queue<K, V>> {
        let is_due = self.queues.iter().any(|queue| queue.has_due(now));
        let queues = if is_due { self.queues.iter().count() } else { 0 };
        // Relaxed: any start will do.
        let turn = self.next_reaped.load(Ordering::Relaxed).wrapping_add(1);
        self.next_reaped.store(turn, Ordering::Relaxed);
        let first = turn.checked_rem(queues).unwrap_or(0);
        (first..queues).chain(0..first).filter_map(|number| self.queues.get(number))
    }

    /// Reaps these queues.
    pub(crate) fn reap<'c>(
        &'c self,
        queues: impl IntoIterator<Item = &'c Queue<K, V>>,
        now: Timestamp,
        budget: Budget,
        mut hand_over: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        for queue in queues {
            self.reap_queue(queue, now, budget, &mut report, &mut hand_over);
        }
        self.give_back_memory();
        report
    }

    /// Hands over one flow after the other. So if a callback panics, it has received the only flow that is not in
    /// the table. The slots of a flow stay until its last holder drops it, and look-ups see that it has ended. So
    /// no user data is dropped here, which could panic and lose the record.
    fn reap_queue(
        &self,
        queue: &Queue<K, V>,
        now: Timestamp,
        budget: Budget,
        report: &mut ReapReport,
        hand_over: &mut impl FnMut(Ended<FlowHandle<K, V>>),
    ) {
        while queue.has_due(now) {
            if report.visited() >= budget.get() {
                report.more = true;
                return;
            }
            match self.visit(queue, now) {
                Visit::Nothing => return,
                Visit::Rescheduled => report.rescheduled += 1,
                Visit::Ended(ended) => {
                    match ended.reason {
                        EndReason::Cancelled => report.cancelled += 1,
                        _ => report.expired += 1,
                    }
                    hand_over(ended);
                }
            }
        }
    }

    /// Takes a dying flow, or else one that has ended or is due. Counts it out under the lock, so that a thread
    /// that looks for room finds either the flow or its place. Also reads the reason of the end under the lock,
    /// because the flow may be reinserted afterwards.
    fn visit(&self, queue: &Queue<K, V>, now: Timestamp) -> Visit<Ended<FlowHandle<K, V>>> {
        let mut locked = queue.lock();
        if let Some(ended) = self.take_dying(&mut locked) {
            return Visit::Ended(ended);
        }
        match locked.visit(now) {
            Visit::Ended(id) => Visit::Ended(self.take_ended(&mut locked, id)),
            Visit::Rescheduled => Visit::Rescheduled,
            Visit::Nothing => Visit::Nothing,
        }
    }

    /// Takes a dying flow, if there is one.
    #[inline]
    pub(super) fn take_dying(&self, locked: &mut LockedQueue<'_, K, V>) -> Option<Ended<FlowHandle<K, V>>> {
        let flow = locked.next_dying()?;
        self.count_out_dying();
        Some(to_hand_over(flow))
    }

    /// Takes a flow that has ended and has a place.
    #[inline]
    pub(super) fn take_ended(&self, locked: &mut LockedQueue<'_, K, V>, id: FlowId) -> Ended<FlowHandle<K, V>> {
        let flow = locked.take(id).expect("just found under this lock");
        self.held.sub(1);
        to_hand_over(flow)
    }

    /// Gives memory back once much of it has become free (contract C3).
    pub(super) fn give_back_memory(&self) {
        if self.shared.slots.count().has_fallen() {
            self.shared.slots.shrink_to_fit();
        }
        if self.held.has_fallen() {
            self.queues.shrink_to_fit();
        }
    }
}

#[inline]
fn to_hand_over<K, V>(flow: Strong<K, V>) -> Ended<FlowHandle<K, V>> {
    let reason = flow.end_reason().expect("it has ended");
    Ended { flow: FlowHandle::new(flow, Direction::Forward), reason }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flow_table_api::{Flow, NewFlow, Table};

    use super::*;
    use crate::FlowTable;

    #[test]
    fn what_a_refresh_had_moved_takes_of_the_budget_too() {
        let table = FlowTable::<u64, ()>::new(6);
        for key in 0..6 {
            let new = NewFlow::new(key, ()).timeout(Duration::from_secs(10));
            let flow = table.insert(new, Timestamp::ZERO).expect("there is room").flow;
            assert!(flow.refresh(Timestamp::from_secs(5)));
        }
        let reap = |budget| table.reap(Timestamp::from_secs(10), Budget::flows(budget));
        let report = reap(4);
        assert_eq!((report.rescheduled, report.visited(), report.more), (4, 4, true));
        let report = reap(2);
        assert_eq!((report.rescheduled, report.visited(), report.more), (2, 2, false), "that was all");
    }
}
