//! What is measured, and how thoroughly.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use flow_table_benches::measure::Effort;
use flow_table_benches::{Candidate, Role, Workload};

use super::args::BenchArgs;

const SHORT_SIZES: &[usize] = &[1 << 16, 1 << 20];
const FULL_SIZES: &[usize] = &[1 << 16, 1 << 20, 1 << 23];

/// What is measured, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) threads: Vec<usize>,
    rounds: usize,
    turn: Duration,
}

impl Plan {
    pub(crate) fn new(args: &BenchArgs) -> Self {
        let wanted = |candidate: &Candidate| match candidate.role() {
            Role::Backend => args.backend.is_empty() || args.backend.contains(candidate),
            Role::Floor => true,
        };
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        let all_threads = if args.full { vec![1, 2, processors] } else { vec![1] };
        Self {
            candidates: Candidate::ALL.iter().copied().filter(wanted).collect(),
            workloads: or_else(&args.workload, || Workload::all().collect()),
            sizes: or_else(&args.flows, || if args.full { FULL_SIZES.into() } else { SHORT_SIZES.into() }),
            threads: or_else(&args.threads, || all_threads),
            rounds: args.rounds.unwrap_or(if args.full { 9 } else { 5 }),
            turn: Duration::from_millis(if args.full { 40 } else { 20 }),
        }
    }

    /// How thoroughly `workload` is measured: what cannot be made shorter gets fewer rounds.
    pub(crate) fn effort(&self, workload: Workload, flows: usize) -> Effort {
        let rounds = if workload.is_whole() && flows > 1 << 18 { self.rounds.min(3) } else { self.rounds };
        Effort { rounds, turn: self.turn }
    }

    /// The candidates that can run `workload`.
    pub(crate) fn candidates(&self, workload: Workload) -> impl Iterator<Item = Candidate> {
        self.candidates.iter().copied().filter(move |candidate| candidate.cannot(workload).is_none())
    }

    /// The numbers of threads that `workload` can run on.
    pub(crate) fn threads(&self, workload: Workload) -> &[usize] {
        if workload.is_parallel() { &self.threads } else { &[1] }
    }
}

/// What was asked for, each once and in order; if nothing was, `all`.
fn or_else<T: Clone + Ord>(asked: &[T], all: impl FnOnce() -> Vec<T>) -> Vec<T> {
    let mut chosen = if asked.is_empty() { all() } else { asked.to_vec() };
    chosen.sort();
    chosen.dedup();
    chosen
}
