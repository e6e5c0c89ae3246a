//! Reaping, one flow at a time, so that the callback runs without the lock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flow_table_conformance::api::{
    Answer, Budget, Direction, EndReason, Ended, Flow, Key, ReapReport, Status, Timestamp, Value,
};

use super::Stranger;
use super::flaw::Flaw;
use super::inner::Visit;
use super::node::{Handle, Node};

/// A flow that a reap asks about. If that panics, it is filed again.
struct Asked<'t, K: Key, V: Value> {
    table: &'t Stranger<K, V>,
    node: Option<Arc<Node<K, V>>>,
    question: u64,
    now: Timestamp,
}

impl<K: Key, V: Value> Drop for Asked<'_, K, V> {
    fn drop(&mut self) {
        if let Some(node) = &self.node
            && !self.table.0.is(Flaw::PanicOfAQuestionLosesTheFlow)
        {
            let mut inner = self.table.0.inner.write();
            let filing = node.deadline().min(self.now);
            let ended = node.status() != Status::Active;
            if inner.end_question(node, self.question) {
                inner.file(node.id, if ended { Timestamp::ZERO } else { filing });
            }
        }
    }
}

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
            if let Some((node, reason)) = inner.bury() {
                if self.0.is(Flaw::PanicLosesTheDying) {
                    let dying: Vec<_> =
                        std::iter::from_fn(|| inner.bury()).take(budget.get() - report.visited() - 1).collect();
                    drop(inner);
                    self.hand_over(node, reason, &mut report, &mut ended);
                    for (node, reason) in dying {
                        self.hand_over(node, reason, &mut report, &mut ended);
                    }
                    continue;
                }
                drop(inner);
                self.hand_over(node, reason, &mut report, &mut ended);
                continue;
            }
            inner.work_off_notes();
            match inner.visit_due(now) {
                Visit::NothingDue => {
                    inner.shrink();
                    return report;
                }
                Visit::Rescheduled => report.rescheduled += 1,
                Visit::Ended(node, reason) => {
                    drop(inner.release(node.id));
                    let _lock = self.0.is(Flaw::CallsBackUnderLock).then_some(inner);
                    self.hand_over(node, reason, &mut report, &mut ended);
                }
            }
        }
        report.more = true;
        report
    }

    pub(super) fn ask_all(
        &self,
        now: Timestamp,
        budget: Budget,
        mut ask: impl FnMut(&Handle<K, V>) -> Answer,
        mut ended: impl FnMut(Ended<Handle<K, V>>),
    ) -> ReapReport {
        let mut report = ReapReport::default();
        while report.visited() < budget.get() {
            let mut inner = self.0.inner.write();
            if let Some((node, reason)) = inner.bury() {
                drop(inner);
                self.hand_over(node, reason, &mut report, &mut ended);
                continue;
            }
            inner.work_off_notes();
            let Some((node, question)) = inner.come_up(now) else {
                inner.shrink();
                return report;
            };
            let mut asked = Asked { table: self, node: Some(Arc::clone(&node)), question, now };
            let answer = if node.status() == Status::Active {
                let lock = self.0.is(Flaw::AsksUnderLock).then_some(inner);
                let answer = ask(&Handle::new(Arc::clone(&node), Direction::Forward));
                drop(lock);
                answer
            } else {
                drop(inner);
                Answer::Proceed
            };
            asked.node = None;
            let mut inner = self.0.inner.write();
            let reason = inner.answered(&node, question, answer, now);
            let released = reason.and_then(|_| inner.release(node.id));
            drop(inner);
            drop(released);
            match reason {
                Some(reason) => self.hand_over(node, reason, &mut report, &mut ended),
                None => report.rescheduled += 1,
            }
        }
        report.more = true;
        report
    }

    fn hand_over(
        &self,
        node: Arc<Node<K, V>>,
        reason: EndReason,
        report: &mut ReapReport,
        ended: &mut impl FnMut(Ended<Handle<K, V>>),
    ) {
        // Relaxed: set under the lock under which the flow was found.
        let died = node.died.load(Ordering::Relaxed);
        let count = if reason == EndReason::Cancelled { &mut report.cancelled } else { &mut report.expired };
        *count += usize::from(!died || !self.0.is(Flaw::DyingCostNothing));
        let limbo = &self.0.limbo;
        let waits = self.0.is(Flaw::TableLeaksWhatWaits) || self.0.is(Flaw::BurstsHoldEverything);
        if waits && limbo.is_open() {
            limbo.add([Handle::new(Arc::clone(&node), Direction::Forward)]);
        }
        if self.0.is(Flaw::StrandsInLimbo) && limbo.is_open() {
            (0..100).take_while(|_| limbo.is_open()).for_each(|_| std::thread::yield_now());
            limbo.add([Handle::new(Arc::clone(&node), Direction::Forward)]);
        }
        if died && self.0.is(Flaw::HandsTheDyingOverTwice) {
            ended(Ended { flow: Handle::new(Arc::clone(&node), Direction::Forward), reason });
        }
        if !died || !self.0.is(Flaw::LosesWhatMadeRoom) {
            ended(Ended { flow: Handle::new(node, Direction::Forward), reason });
        }
    }
}
