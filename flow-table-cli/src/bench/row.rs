//! One result: what is printed, recorded and compared.

use flow_table_benches::grow::Growth;
use flow_table_benches::measure::Outcome;
use flow_table_benches::{Candidate, Setting, Workload};
use serde::{Deserialize, Serialize};

/// One candidate's result in one workload. What does not apply is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The workload's name.
    pub(crate) workload: String,
    /// The candidate's name.
    pub(crate) candidate: String,
    /// Flows in the table.
    pub(crate) flows: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Nanoseconds per operation, over the rounds: elapsed time by the operations of all threads.
    pub(crate) ns_per_op: Spread,
    /// Half of the steps took at most so many nanoseconds.
    pub(crate) p50: Option<u64>,
    /// 99 % of the steps.
    pub(crate) p99: Option<u64>,
    /// 99.99 % of the steps.
    pub(crate) p9999: Option<u64>,
    /// The longest step.
    pub(crate) max_ns: Option<u64>,
    /// By how much the process's resident size grew with the table.
    pub(crate) bytes_per_flow: Option<f64>,
    /// Operations in all rounds.
    pub(crate) ops: u64,
    /// Shares of the steps, and the nanoseconds within which that share was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) distribution: Vec<(f64, u64)>,
}

/// What the rounds gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The best round.
    pub(crate) min: f64,
    /// The median.
    pub(crate) median: f64,
    /// The worst round.
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().map(|value| (value * 100.0).round() / 100.0).collect();
        values.sort_by(f64::total_cmp);
        Self { min: values[0], median: median(&values), max: values[values.len() - 1] }
    }
}

/// Of at least one value, in order: the middle one, or the lower of the two in the middle.
fn median<T: Copy>(sorted: &[T]) -> T {
    sorted[(sorted.len() - 1) / 2]
}

impl Row {
    /// Whether `other` is the same candidate's in the same setting.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        (&self.workload, &self.candidate, self.flows, self.threads)
            == (&other.workload, &other.candidate, other.flows, other.threads)
    }

    /// In which order results are shown.
    pub(crate) fn place(&self) -> (usize, Option<Workload>, usize, Option<Candidate>) {
        (self.flows, self.workload.parse().ok(), self.threads, self.candidate.parse().ok())
    }

    pub(crate) fn of(outcome: &Outcome, setting: Setting) -> Self {
        let Setting { workload, threads, flows } = setting;
        let quantile = |share| outcome.latencies.as_ref().map(|latencies| latencies.value_at_quantile(share));
        Self {
            workload: workload.name().into(),
            candidate: outcome.candidate.name().into(),
            flows,
            threads,
            ns_per_op: Spread::of(outcome.ns_per_op.iter().copied()),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p9999: quantile(0.9999),
            max_ns: quantile(1.0),
            bytes_per_flow: None,
            ops: outcome.operations,
            distribution: Vec::new(),
        }
    }

    /// Of at least one process. Latencies and bytes are medians over the processes, share by share.
    pub(crate) fn of_growth(growths: &[Growth], candidate: Candidate, flows: usize) -> Self {
        let median_of = |values: Vec<f64>| Spread::of(values).median;
        let shares = growths[0].distribution.iter().enumerate().map(|(index, (share, _))| {
            let nanos = growths.iter().map(|growth| growth.distribution[index].1 as f64).collect();
            (*share, median_of(nanos) as u64)
        });
        let distribution: Vec<(f64, u64)> = shares.collect();
        let quantile = |wanted: f64| {
            distribution.iter().find(|(share, _)| share.total_cmp(&wanted).is_eq()).map(|(_, nanos)| *nanos)
        };
        let bytes: Option<Vec<f64>> = growths.iter().map(|growth| growth.bytes_per_flow).collect();
        Self {
            workload: Workload::Grow.name().into(),
            candidate: candidate.name().into(),
            flows,
            threads: 1,
            ns_per_op: Spread::of(growths.iter().map(|growth| growth.mean_ns)),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p9999: quantile(0.9999),
            max_ns: quantile(1.0),
            bytes_per_flow: bytes.map(median_of),
            ops: (flows * growths.len()) as u64,
            distribution,
        }
    }
}
