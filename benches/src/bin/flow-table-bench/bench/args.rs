//! The command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use flow_table_benches::{Candidate, FEWEST_FLOWS, Role, Workload};

/// What to measure.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    /// Something other than to measure.
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    /// What to measure.
    #[command(flatten)]
    pub measure: MeasureArgs,
}

/// What to do with recorded results.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Write a report, with plots, from recorded results.
    Report(ReportArgs),
    /// Compare two records, and fail if a backend has become slower or larger than noise explains.
    ///
    /// The command compares the ratio of each result to the same result before. Peers and floors do not change
    /// from one version to the next, so their median ratio is the effect of the machine, and is divided out.
    Compare(CompareArgs),
    /// Fill one table in this process and print what was measured; other measurements start it.
    #[command(hide = true)]
    Grow(GrowArgs),
}

/// What to measure, and how.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// Backends to measure; both by default.
    #[arg(long, value_name = "BACKEND", value_delimiter = ',', value_parser = backend)]
    pub backend: Vec<Candidate>,
    /// Workloads to run; all by default.
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    pub workload: Vec<Workload>,
    /// Table sizes, of at least 256 flows; by default 65,536 and 1,048,576.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = flows)]
    pub flows: Vec<usize>,
    /// Numbers of threads; by default 1.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = count)]
    pub threads: Vec<usize>,
    /// Measure other maps and caches, too.
    #[arg(long)]
    pub peers: bool,
    /// Measure the whole set: also 8,388,608 flows; one thread, two, and as many as there are processors; peers;
    /// more rounds.
    #[arg(long)]
    pub full: bool,
    /// The number of turns of each candidate.
    #[arg(long, value_name = "N", value_parser = count)]
    pub rounds: Option<usize>,
    /// How long a turn takes, in milliseconds, where the workload leaves a choice.
    #[arg(long, value_name = "MS")]
    pub turn: Option<u64>,
    /// Print one JSON object per result instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write the results, and on what they were measured, to this directory.
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Write a report from the results to this file.
    #[arg(long, value_name = "FILE", requires = "record")]
    pub report: Option<PathBuf>,
    /// An earlier record, with which the report compares.
    #[arg(long, value_name = "DIR", requires = "report")]
    pub before: Option<PathBuf>,
}

/// Which report to write.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The directory with the results.
    #[arg(value_name = "DIR")]
    pub record: PathBuf,
    /// An earlier record, with which the report compares.
    #[arg(long, value_name = "DIR")]
    pub before: Option<PathBuf>,
    /// The file to write. Plots go into the directory with the results.
    #[arg(long, value_name = "FILE", default_value = "BENCHMARKS.md")]
    pub output: PathBuf,
}

/// Which records to compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier record's directory.
    pub before: PathBuf,
    /// The later record's.
    pub after: PathBuf,
    /// Changes up to this many percent count as noise.
    #[arg(long, value_name = "PERCENT", default_value_t = 10)]
    pub tolerance: u32,
}

/// Which table to fill.
#[derive(Debug, Args)]
pub struct GrowArgs {
    /// Whose.
    #[arg(long)]
    pub candidate: Candidate,
    /// How large.
    #[arg(long, value_parser = flows)]
    pub flows: usize,
}

fn backend(name: &str) -> Result<Candidate, String> {
    match name.parse() {
        Ok(candidate) if Candidate::role(candidate) == Role::Backend => Ok(candidate),
        _ => Err("the backends are dashmap and custom".into()),
    }
}

fn flows(number: &str) -> Result<usize, String> {
    match count(number)? {
        ..FEWEST_FLOWS => Err(format!("must be at least {FEWEST_FLOWS}")),
        flows => Ok(flows),
    }
}

fn count(number: &str) -> Result<usize, String> {
    match number.replace('_', "").parse() {
        Ok(count @ 1..=0x7fff_ffff) => Ok(count),
        Ok(_) => Err("must be at least 1 and below 2³¹".into()),
        Err(error) => Err(error.to_string()),
    }
}
