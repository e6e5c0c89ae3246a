//! What the command line says.

use clap::Args;
use flow_table_benches::{Candidate, Role, Workload};

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Backends to measure; both by default.
    #[arg(long, value_name = "BACKEND", value_delimiter = ',', value_parser = backend)]
    pub backend: Vec<Candidate>,
    /// Workloads to run; all by default.
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    pub workload: Vec<Workload>,
    /// Table sizes.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = count)]
    pub flows: Vec<usize>,
    /// Numbers of threads.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = count)]
    pub threads: Vec<usize>,
    /// Measure other maps and caches, too.
    #[arg(long)]
    pub peers: bool,
    /// The whole set: three sizes; one thread, two, and all; peers. Takes less than half an hour.
    #[arg(long)]
    pub full: bool,
    /// Rounds: how often each candidate's turn comes.
    #[arg(long, value_name = "N", value_parser = count)]
    pub rounds: Option<usize>,
    /// Print one JSON object per result instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Fill one table in this process and print what was measured.
    #[arg(long, hide = true, value_name = "CANDIDATE")]
    pub grow_here: Option<Candidate>,
}

fn backend(name: &str) -> Result<Candidate, String> {
    match name.parse() {
        Ok(candidate) if Candidate::role(candidate) == Role::Backend => Ok(candidate),
        _ => Err("the backends are dashmap and custom".into()),
    }
}

fn count(number: &str) -> Result<usize, String> {
    match number.replace(['_', ','], "").parse() {
        Ok(count @ 1..=0xffff_ffff) => Ok(count),
        Ok(_) => Err("must be at least 1 and below 2³²".into()),
        Err(error) => Err(error.to_string()),
    }
}
