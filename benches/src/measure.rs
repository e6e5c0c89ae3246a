//! Candidates in turns, round by round.

use std::time::Duration;

use crate::contender::{Contender, Setting};
use crate::meter::Latencies;
use crate::{Candidate, Crew, Run};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The number of turns of each candidate.
    pub rounds: usize,
    /// How long a turn takes, as far as the workload leaves a choice.
    pub turn: Duration,
}

/// What was measured of one candidate.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which one.
    pub candidate: Candidate,
    /// Nanoseconds per operation in each round: the time of the whole turn by the operations of all threads.
    pub ns_per_op: Vec<f64>,
    /// How long single steps took, if that was measured.
    pub latencies: Option<Latencies>,
    /// Operations in all rounds together.
    pub operations: u64,
}

/// Measures all contenders: they take turns, round by round, each round in another order, so that other work of
/// the machine affects all of them equally. `progress` is called `effort.rounds + 2` times.
pub fn measure(
    contenders: &[Contender],
    crew: &Crew,
    setting: Setting,
    effort: Effort,
    mut progress: impl FnMut(),
) -> Vec<Outcome> {
    let mut outcomes: Vec<(Run, Outcome)> = Vec::with_capacity(contenders.len());
    for contender in contenders {
        let run = contender.calibrate(crew, setting, effort.turn);
        let ns_per_op = Vec::with_capacity(effort.rounds);
        outcomes
            .push((run, Outcome { candidate: contender.candidate, ns_per_op, latencies: None, operations: 0 }));
    }
    progress();
    for round in 0..effort.rounds {
        for turn in 0..contenders.len() {
            let turn = (turn + round) % contenders.len();
            let (run, outcome) = &mut outcomes[turn];
            let (ns_per_op, operations) = contenders[turn].turn(crew, *run, setting.flows, effort.turn);
            outcome.ns_per_op.push(ns_per_op);
            outcome.operations += operations;
        }
        progress();
    }
    if setting.workload.has_latency() {
        for (contender, (run, outcome)) in contenders.iter().zip(&mut outcomes) {
            outcome.latencies = Some(contender.latencies(crew, *run, setting.flows, effort.turn));
        }
    }
    progress();
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
