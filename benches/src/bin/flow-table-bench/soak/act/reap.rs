use std::time::Duration;

use anyhow::{Result, ensure};
use flow_table::{Answer, Budget, EndReason, Ended, Flow, FlowKey, ReapReport, Table};

use crate::soak::body::Body;
use crate::soak::worker::Worker;
use crate::soak::world::RefOf;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    pub(in crate::soak) fn reap(&mut self) -> Result<()> {
        if self.dice.one_in(4) {
            return self.reap_asking();
        }
        let (now, budget, mut ended) = (self.now(), self.budget(), Vec::new());
        let report = self.world.table.reap_with(now, budget, |flow| ended.push(flow));
        self.reaped(budget, report, ended)
    }

    /// Keeps some of the flows that it asks about, and cancels a few.
    fn reap_asking(&mut self) -> Result<()> {
        let (now, budget, mut ended) = (self.now(), self.budget(), Vec::new());
        let Self { world, dice, tally, .. } = self;
        let ask = |flow: &RefOf<T>| match dice.below(8) {
            0..3 => Answer::AskAgain(now + Duration::from_millis(dice.below(1_000) as u64)),
            3 if !flow.value().is_sheltered() => {
                tally.cancelled += u64::from(flow.cancel());
                Answer::Proceed
            }
            _ => Answer::Proceed,
        };
        let report = world.table.reap_asking(now, budget, ask, |flow| ended.push(flow));
        self.reaped(budget, report, ended)
    }

    pub(in crate::soak) fn reap_local(&mut self) -> Result<()> {
        let (now, budget, mut ended) = (self.now(), self.budget(), Vec::new());
        let report = self.world.table.reap_local_with(now, budget, |flow| ended.push(flow));
        self.reaped(budget, report, ended)
    }

    /// Some budget, mostly a small one.
    fn budget(&mut self) -> Budget {
        match self.dice.below(16) {
            0 => Budget::UNLIMITED,
            1 => Budget::flows(0),
            2 => Budget::flows(self.dice.below(10_000)),
            _ => Budget::flows(1 + self.dice.below(64)),
        }
    }

    /// Checks that the report agrees with what was handed over. Sometimes keeps the handle of a flow.
    fn reaped(&mut self, budget: Budget, report: ReapReport, ended: Vec<Ended<RefOf<T>>>) -> Result<()> {
        ensure!(report.visited() <= budget.get(), "R1: {report:?} with {budget:?}");
        ensure!(!report.more || budget != Budget::UNLIMITED, "R1: {report:?} without a limit");
        let expired = ended.iter().filter(|ended| ended.reason == EndReason::Expired).count();
        let told = (report.expired, report.cancelled);
        ensure!(told == (expired, ended.len() - expired), "R4: {report:?}, and {} handed over", ended.len());
        for ended in ended {
            self.world.handed_over(&ended, &mut self.tally)?;
            if self.dice.one_in(8) {
                self.hold(ended.flow);
            }
        }
        Ok(())
    }
}
