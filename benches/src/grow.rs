//! Fills a table from empty, in its own process. Memory that another table used before would distort both the
//! times and the resident size.

use serde::{Deserialize, Serialize};

use crate::meter::latencies;
use crate::{Candidate, Crew, FEWEST_FLOWS, Run, Team, Workload, resident_bytes};

/// What one process measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Mean time of an insertion in nanoseconds, a reading of the clock included.
    pub mean_ns: f64,
    /// Shares of the insertions (1 for all), and the nanoseconds within which that share was done.
    pub distribution: Vec<(f64, u64)>,
    /// The longest reap between bursts of insertions, in nanoseconds.
    pub longest_reap_ns: u64,
    /// By how much the process's resident size grew, for each flow.
    pub bytes_per_flow: Option<f64>,
}

/// The shares in [`Growth::distribution`].
pub const SHARES: &[f64] =
    &[0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99995, 0.99999, 1.0];

/// Fills one table. Call it once, early, in a new process.
pub fn grow(candidate: Candidate, flows: usize) -> Growth {
    let run = Run { workload: Workload::Grow, threads: 1, operations: flows };
    let crew = Crew::new(1);
    // What a library sets up once is not this table's memory. What a table reserves when it is made is.
    drop(candidate.world(Workload::Grow, FEWEST_FLOWS, 1));
    let before = resident_bytes();
    let world = candidate.world(Workload::Grow, flows, 1);
    let filled = world.clone();
    let mut recorded = crew.each(Team { first: 0, threads: 1 }, move |thread| {
        let mut latencies = latencies();
        let longest = filled.run_metered(run, thread, &mut latencies);
        (latencies, longest)
    });
    let after = resident_bytes();
    world.settle(run);
    let (latencies, longest_reap) = recorded.remove(0);
    Growth {
        mean_ns: latencies.mean(),
        distribution: SHARES.iter().map(|share| (*share, latencies.value_at_quantile(*share))).collect(),
        longest_reap_ns: longest_reap.as_nanos() as u64,
        bytes_per_flow: before
            .zip(after)
            .map(|(before, after)| after.saturating_sub(before) as f64 / flows as f64),
    }
}
