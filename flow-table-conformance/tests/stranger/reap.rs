//! Reaping, one flow at a time, so that the callback runs without the lock.

use std::sync::Arc;

use flow_table_conformance::api::{Budget, Direction, EndReason, Ended, Key, ReapReport, Timestamp, Value};

use super::Stranger;
use super::flaw::Flaw;
use super::inner::Visit;
use super::node::Handle;

impl<K: Key, V: Value> Stranger<K, V> {
    pub(super) fn reap_all(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ended: impl FnMut(Ended<Handle<K, V>>),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        while report.visited() < budget.get() {
            let mut inner = self.0.inner.write();
            inner.work_off_notes();
            if !self.0.is(Flaw::ReapLeavesSlots) && self.0.bury_one(&mut inner) {
                report.dead += 1;
                continue;
            }
            let visit = inner.visit_due(now);
            if matches!(visit, Visit::NothingDue) {
                inner.shrink();
                return report;
            }
            let _lock = self.0.is(Flaw::CallsBackUnderLock).then_some(inner);
            match visit {
                Visit::NothingDue => unreachable!("handled above"),
                Visit::Rescheduled => report.rescheduled += 1,
                Visit::LetGo(node, reason) => {
                    let count =
                        if reason == EndReason::Cancelled { &mut report.cancelled } else { &mut report.expired };
                    *count += 1;
                    let limbo = &self.0.limbo;
                    if self.0.is(Flaw::TableLeaksWhatWaits) && limbo.is_open() {
                        limbo.add([Handle::new(Arc::clone(&node), Direction::Forward)]);
                    }
                    if self.0.is(Flaw::StrandsInLimbo) && limbo.is_open() {
                        (0..100).take_while(|_| limbo.is_open()).for_each(|_| std::thread::yield_now());
                        limbo.add([Handle::new(Arc::clone(&node), Direction::Forward)]);
                    }
                    ended(Ended { flow: Handle::new(node, Direction::Forward), reason });
                }
            }
        }
        report.more = true;
        report
    }
}
