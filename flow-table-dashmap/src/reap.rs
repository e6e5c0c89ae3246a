use std::sync::Arc;
use std::sync::atomic::Ordering;

use flow_table_api::{Budget, Direction, EndReason, Ended, ReapReport, Timestamp};

use crate::handle::FlowHandle;
use crate::heap::{Taken, Visit};
use crate::queue::Queue;
use crate::shared::Shared;

impl<K, V> Shared<K, V> {
    /// Reaps all queues, beginning with another one each time, so that a small budget starves none.
    pub(crate) fn reap(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        if self.registry.read(|queues| queues.iter().any(|queue| queue.has_due(now))) {
            let queues = self.registry.len();
            // Relaxed: any start will do.
            let first = self.next_reaped.fetch_add(1, Ordering::Relaxed);
            for queue in (0..queues).filter_map(|turn| self.registry.get(first.wrapping_add(turn) % queues)) {
                self.reap_queue(&queue, now, budget, &mut report, &mut ended);
            }
        }
        self.give_back_memory();
        report
    }

    /// Reaps the calling thread's queue.
    pub(crate) fn reap_local(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        if let Some(queue) = self.registry.mine() {
            self.reap_queue(&queue, now, budget, &mut report, &mut ended);
        }
        self.give_back_memory();
        report
    }

    fn reap_queue(
        &self,
        queue: &Arc<Queue<K, V>>,
        now: Timestamp,
        budget: Budget,
        report: &mut ReapReport,
        ended: &mut impl FnMut(Ended<FlowHandle<K, V>>),
    ) {
        while queue.has_due(now) {
            if report.visited() >= budget.get() {
                report.more = true;
                return;
            }
            match self.visit(queue, now) {
                Visit::Nothing => return,
                Visit::Rescheduled => report.rescheduled += 1,
                Visit::Ended(taken) => {
                    match taken.reason {
                        EndReason::Cancelled => report.cancelled += 1,
                        _ => report.expired += 1,
                    }
                    ended(taken.let_go());
                }
            }
        }
    }

    fn visit(&self, queue: &Queue<K, V>, now: Timestamp) -> Visit<K, V> {
        let mut locked = queue.lock();
        let visit = locked.visit(now);
        if let Visit::Ended(_) = visit {
            // Under the lock: whoever looks for room finds the flow or its place.
            self.held.sub(1);
        }
        visit
    }

    /// Gives memory back once much of it has become free (contract C3).
    fn give_back_memory(&self) {
        if self.slots.count().has_fallen() {
            self.slots.shrink_to_fit();
        }
        if self.held.has_fallen() {
            self.registry.each().for_each(|queue| queue.shrink_to_fit());
        }
    }
}

impl<K, V> Taken<K, V> {
    /// Hands the flow over.
    ///
    /// Its slots stay until its last holder goes: look-ups see that it has ended. So nothing of the user's is
    /// dropped here, which could panic and lose the record.
    pub(crate) fn let_go(self) -> Ended<FlowHandle<K, V>> {
        Ended { flow: FlowHandle::new(self.flow, Direction::Forward), reason: self.reason }
    }
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
