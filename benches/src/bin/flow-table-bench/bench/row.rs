//! One result: what is printed, recorded and compared.

use flow_table_benches::grow::Growth;
use flow_table_benches::measure::Outcome;
use flow_table_benches::{Candidate, Setting, Workload};
use serde::{Deserialize, Serialize};

/// With fewer steps, all but one in ten thousand would be all of them.
const FEWEST_STEPS: u64 = 10_000;

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
    /// Half of the steps took at most this many nanoseconds.
    pub(crate) p50: Option<u64>,
    /// 99 % of the steps.
    pub(crate) p99: Option<u64>,
    /// 99.99 % of the steps, if enough were timed that this is not just the longest.
    pub(crate) p9999: Option<u64>,
    /// The longest step.
    pub(crate) max_ns: Option<u64>,
    /// By how much the process's resident size grew with the table.
    pub(crate) bytes_per_flow: Option<f64>,
    /// Operations in all rounds.
    pub(crate) ops: u64,
    /// What `ns_per_op` is of, round by round: all candidates of a setting had their turns in the same rounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rounds: Vec<f64>,
    /// Shares of the steps, and the nanoseconds within which that share was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) distribution: Vec<(f64, u64)>,
}

/// The range of the rounds.
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
    /// Of at least one value. Of an even number of values the median is the lower one in the middle.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self { min: values[0], median: values[(values.len() - 1) / 2], max: values[values.len() - 1] }
    }

    /// From the lowest to the highest, by the median.
    pub(crate) fn width(self) -> f64 {
        (self.max - self.min) / self.median
    }
}

/// Rounds nanoseconds to a hundredth, for records.
fn hundredths(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values.map(|value| (value * 100.0).round() / 100.0).collect()
}

impl Row {
    /// Whether `other` is the same candidate's in the same setting.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        self.is_of_setting(other) && self.candidate == other.candidate
    }

    /// Whether `other` was measured in the same rounds.
    pub(crate) fn is_of_setting(&self, other: &Self) -> bool {
        (&self.workload, self.flows, self.threads) == (&other.workload, other.flows, other.threads)
    }

    /// In which order results are shown.
    pub(crate) fn place(&self) -> (usize, Option<Workload>, usize, Option<Candidate>) {
        (self.flows, self.workload.parse().ok(), self.threads, self.candidate.parse().ok())
    }

    /// The time of this result by the time of `other`, round by round, so that what the machine did in a round
    /// falls on both.
    pub(crate) fn by(&self, other: &Self) -> Option<Spread> {
        let ratios: Vec<f64> = self.rounds.iter().zip(&other.rounds).map(|(own, other)| own / other).collect();
        (!ratios.is_empty()).then(|| Spread::of(ratios))
    }

    /// What `--json` prints: the figures, without what only reports need.
    pub(crate) fn figures(&self) -> Self {
        Self { rounds: Vec::new(), distribution: Vec::new(), ..self.clone() }
    }

    pub(crate) fn of(outcome: &Outcome, setting: Setting) -> Self {
        let Setting { workload, threads, flows } = setting;
        let latencies = outcome.latencies.as_ref();
        let quantile = |share| latencies.map(|latencies| latencies.value_at_quantile(share));
        let enough = latencies.is_some_and(|latencies| latencies.len() >= FEWEST_STEPS);
        let rounds = hundredths(outcome.ns_per_op.iter().copied());
        Self {
            workload: workload.name().into(),
            candidate: outcome.candidate.name().into(),
            flows,
            threads,
            ns_per_op: Spread::of(rounds.iter().copied()),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p9999: quantile(0.9999).filter(|_| enough),
            max_ns: quantile(1.0),
            bytes_per_flow: None,
            ops: outcome.operations,
            rounds,
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
        let rounds = hundredths(growths.iter().map(|growth| growth.mean_ns));
        Self {
            workload: Workload::Grow.name().into(),
            candidate: candidate.name().into(),
            flows,
            threads: 1,
            ns_per_op: Spread::of(rounds.iter().copied()),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p9999: quantile(0.9999),
            max_ns: quantile(1.0),
            bytes_per_flow: bytes.map(|bytes| (median_of(bytes) * 100.0).round() / 100.0),
            ops: (flows * growths.len()) as u64,
            rounds,
            distribution,
        }
    }
}
