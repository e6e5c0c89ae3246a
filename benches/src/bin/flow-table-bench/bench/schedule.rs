//! The order in which everything is measured.

use anyhow::Result;
use flow_table_benches::grow::Growth;
use flow_table_benches::measure::measure;
use flow_table_benches::{Candidate, Contender, Crew, Setting, Workload};

use super::grow;
use super::plan::Plan;
use super::progress::Progress;
use super::row::Row;

/// Measures all of `plan`, and passes each result to `report` at once.
pub(crate) fn run(plan: &Plan, report: impl FnMut(Row) -> Result<()>) -> Result<()> {
    let crew = Crew::new(plan.workers());
    let mut session = Session { plan, crew, progress: Progress::new(steps(plan)), report };
    for &flows in &plan.sizes {
        session.standing(flows)?;
        for &workload in plan.workloads.iter().filter(|workload| !workload.is_standing()) {
            match workload {
                Workload::Grow => session.growing(flows)?,
                _ => session.changing(workload, flows)?,
            }
        }
    }
    Ok(())
}

struct Session<'p, R> {
    plan: &'p Plan,
    crew: Crew,
    progress: Progress,
    report: R,
}

impl<R: FnMut(Row) -> Result<()>> Session<'_, R> {
    /// The workloads that leave the flows as they are, all over the same tables.
    fn standing(&mut self, flows: usize) -> Result<()> {
        let standing = |workload: &Workload| workload.is_standing();
        let workloads: Vec<Workload> = self.plan.workloads.iter().copied().filter(standing).collect();
        let Some(&first) = workloads.first() else { return Ok(()) };
        for group in self.plan.groups(&workloads, 1, flows) {
            let contenders = self.fill(&group, Setting { workload: first, threads: self.crew.len(), flows });
            for &workload in &workloads {
                for &threads in self.plan.threads(workload) {
                    let setting = Setting { workload, threads, flows };
                    let wanted = |contender: &&Contender| self.plan.wants(contender.candidate, setting);
                    let wanted: Vec<Contender> = contenders.iter().filter(wanted).cloned().collect();
                    self.cell(&wanted, setting)?;
                }
            }
            Contender::drop_all(contenders);
        }
        Ok(())
    }

    /// A workload that changes the flows, so that it needs tables of its own.
    fn changing(&mut self, workload: Workload, flows: usize) -> Result<()> {
        for &threads in self.plan.threads(workload) {
            for group in self.plan.groups(&[workload], threads, flows) {
                let setting = Setting { workload, threads, flows };
                let contenders = self.fill(&group, setting);
                self.cell(&contenders, setting)?;
                Contender::drop_all(contenders);
            }
        }
        Ok(())
    }

    fn fill(&self, group: &[Candidate], setting: Setting) -> Vec<Contender> {
        let Setting { workload, flows, .. } = setting;
        self.progress.says(format!("{workload}, {flows} flows: filling tables"));
        Contender::all(group, setting, &self.crew)
    }

    fn cell(&mut self, contenders: &[Contender], setting: Setting) -> Result<()> {
        let Setting { workload, threads, flows } = setting;
        self.progress.says(format!("{workload}, {flows} flows, {threads} threads"));
        let effort = self.plan.effort(workload, flows);
        let outcomes = measure(contenders, &self.crew, setting, effort, || self.progress.step());
        outcomes.iter().try_for_each(|outcome| (self.report)(Row::of(outcome, setting)))
    }

    fn growing(&mut self, flows: usize) -> Result<()> {
        self.progress.says(format!("{}, {flows} flows", Workload::Grow));
        let candidates = self.plan.groups(&[Workload::Grow], 1, flows).concat();
        let mut growths: Vec<Vec<Growth>> = vec![Vec::new(); candidates.len()];
        for _ in 0..self.plan.effort(Workload::Grow, flows).rounds {
            for (candidate, growths) in candidates.iter().zip(&mut growths) {
                growths.push(grow::in_process(*candidate, flows)?);
            }
            self.progress.step();
        }
        for (candidate, growths) in candidates.iter().zip(&growths) {
            (self.report)(Row::of_growth(growths, *candidate, flows))?;
        }
        Ok(())
    }
}

/// How often `progress.step` is called.
fn steps(plan: &Plan) -> usize {
    let standing: Vec<Workload> =
        plan.workloads.iter().copied().filter(|workload| workload.is_standing()).collect();
    let steps = |flows: usize, workload: Workload| {
        let rounds = plan.effort(workload, flows).rounds;
        if workload == Workload::Grow {
            return rounds;
        }
        let workloads = if workload.is_standing() { &standing[..] } else { &[workload] };
        let groups = |threads: &usize| {
            plan.groups(workloads, if workload.is_standing() { 1 } else { *threads }, flows).len()
        };
        (rounds + 2) * plan.threads(workload).iter().map(groups).sum::<usize>()
    };
    plan.sizes.iter().flat_map(|flows| plan.workloads.iter().map(move |workload| steps(*flows, *workload))).sum()
}
