//! The order in which everything is measured.

use anyhow::Result;
use flow_table_benches::grow::Growth;
use flow_table_benches::measure::{Contender, measure};
use flow_table_benches::{Candidate, Crew, Workload};

use super::grow;
use super::plan::Plan;
use super::progress::Progress;
use super::row::Row;

/// Measures all of `plan`, and hands each result to `report` as soon as it is there.
pub(crate) fn run(plan: &Plan, mut report: impl FnMut(Row) -> Result<()>) -> Result<()> {
    let crew = Crew::new(plan.threads.iter().copied().max().unwrap_or(1));
    let progress = Progress::new(steps(plan));
    for &flows in &plan.sizes {
        standing(plan, flows, &crew, &progress, &mut report)?;
        for &workload in plan.workloads.iter().filter(|workload| !workload.is_standing()) {
            if workload == Workload::Grow {
                growing(plan, flows, &progress, &mut report)?;
                continue;
            }
            for &threads in plan.threads(workload) {
                progress.says(format!("{workload}, {flows} flows: filling tables"));
                let contenders: Vec<Contender> = plan
                    .candidates(workload)
                    .map(|candidate| Contender::new(candidate, workload, flows, threads, &crew))
                    .collect();
                cell(plan, &contenders, &crew, (workload, threads, flows), &progress, &mut report)?;
            }
        }
    }
    Ok(())
}

/// The workloads that leave the flows as they are, all over the same tables.
fn standing(
    plan: &Plan,
    flows: usize,
    crew: &Crew,
    progress: &Progress,
    report: &mut impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let workloads: Vec<Workload> =
        plan.workloads.iter().copied().filter(|workload| workload.is_standing()).collect();
    let Some(&first) = workloads.first() else { return Ok(()) };
    progress.says(format!("{flows} flows: filling tables"));
    let able = |candidate: &&Candidate| workloads.iter().any(|workload| candidate.cannot(*workload).is_none());
    let contenders: Vec<Contender> = plan
        .candidates
        .iter()
        .filter(able)
        .map(|candidate| Contender::new(*candidate, first, flows, crew.len(), crew))
        .collect();
    for workload in workloads {
        let able: Vec<Contender> = contenders
            .iter()
            .filter(|contender| contender.candidate.cannot(workload).is_none())
            .cloned()
            .collect();
        for &threads in plan.threads(workload) {
            cell(plan, &able, crew, (workload, threads, flows), progress, report)?;
        }
    }
    Ok(())
}

fn cell(
    plan: &Plan,
    contenders: &[Contender],
    crew: &Crew,
    setting: (Workload, usize, usize),
    progress: &Progress,
    report: &mut impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let (workload, threads, flows) = setting;
    progress.says(format!("{workload}, {flows} flows, {threads} threads"));
    let outcomes = measure(contenders, crew, setting, plan.effort(workload, flows), || progress.step());
    outcomes.iter().try_for_each(|outcome| report(Row::of(outcome, workload, flows, threads)))
}

fn growing(
    plan: &Plan,
    flows: usize,
    progress: &Progress,
    report: &mut impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    progress.says(format!("{}, {flows} flows", Workload::Grow));
    let candidates: Vec<Candidate> = plan.candidates(Workload::Grow).collect();
    let mut growths: Vec<Vec<Growth>> = vec![Vec::new(); candidates.len()];
    for _ in 0..plan.effort(Workload::Grow, flows).rounds {
        for (candidate, growths) in candidates.iter().zip(&mut growths) {
            growths.push(grow::in_process(*candidate, flows)?);
        }
        progress.step();
    }
    for (candidate, growths) in candidates.iter().zip(&growths) {
        report(Row::of_growth(growths, *candidate, flows))?;
    }
    Ok(())
}

/// How often `progress.step` is called.
fn steps(plan: &Plan) -> usize {
    let cells = plan.sizes.iter().flat_map(|flows| plan.workloads.iter().map(move |workload| (*flows, *workload)));
    cells
        .map(|(flows, workload)| match plan.effort(workload, flows).rounds {
            rounds if workload == Workload::Grow => rounds,
            rounds => (rounds + 2) * plan.threads(workload).len(),
        })
        .sum()
}
