//! The command line.

use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;

use crate::backend::Backend;
use crate::count::within;

/// How to soak.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// The table's implementation.
    #[arg(long, value_enum, default_value_t)]
    pub backend: Backend,
    /// How long; fractions are allowed.
    #[arg(long, value_name = "N", default_value = "1", value_parser = minutes)]
    pub minutes: Duration,
    /// Do this many operations instead, however long that takes.
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = operations)]
    pub operations: Option<usize>,
    /// Threads; as many as there are processors by default.
    #[arg(long, value_name = "N", default_value_t = processors(), value_parser = threads)]
    pub threads: usize,
    /// The table's capacity.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = flows)]
    pub flows: usize,
    /// Decides what each thread does; random by default. With one thread and --operations, it decides everything.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Leave out the rounds in which values call the table or panic when they are dropped, and bursts are
    /// forgotten.
    #[arg(long)]
    pub ordinary: bool,
    /// Print the summary as a JSON object.
    #[arg(long)]
    pub json: bool,
}

fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn minutes(number: &str) -> Result<Duration, String> {
    const WEEK: f64 = 7.0 * 24.0 * 60.0;
    match number.parse::<f64>() {
        Ok(minutes) if 0.0 < minutes && minutes <= WEEK => Ok(Duration::from_secs_f64(60.0 * minutes)),
        Ok(_) => Err("must be more than 0 and at most a week".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn operations(number: &str) -> Result<usize, String> {
    within(number, 1..=1 << 48)
}

fn threads(number: &str) -> Result<usize, String> {
    within(number, 1..=1024)
}

fn flows(number: &str) -> Result<usize, String> {
    within(number, 16..=1 << 26)
}
