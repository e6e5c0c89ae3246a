//! The command line.

use std::path::PathBuf;

use clap::Args;

use super::survivors::Survivors;
use crate::backend::Backend;
use crate::count::within;

/// What to flood.
#[derive(Debug, Args)]
pub struct FloodsArgs {
    /// Floods of each table.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = |number: &str| within(number, 1..=10_000))]
    pub floods: usize,
    /// One-packet flows in each.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = flows)]
    pub flows: usize,
    /// Flows that are there all the time.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = flows)]
    pub lasting: usize,
    /// The flows of each flood that outlive it, until the next one is reaped: `every:N` for each n-th,
    /// `random:PARTS` for so many parts of a thousand. `on-top` for none; then those of `--lasting` are there all
    /// the time.
    #[arg(long, value_name = "PATTERN", default_value_t = Survivors::OnTop)]
    pub survivors: Survivors,
    /// Bursts that are opened before the first flood, look one flow up, and stay open.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = |number: &str| within(number, 0..=1_000))]
    pub stalled_bursts: usize,
    /// Print one JSON object per measurement instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write the measurements, a plot, and on what they were made, to this directory.
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Flood one table in this process, for the process that plots.
    #[arg(long, value_name = "BACKEND", value_enum, hide = true)]
    pub here: Option<Backend>,
}

fn flows(number: &str) -> Result<usize, String> {
    within(number, 1..=1 << 26)
}
