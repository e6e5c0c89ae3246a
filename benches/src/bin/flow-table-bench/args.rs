//! The command line.

use clap::{Parser, Subcommand};

use crate::bench::args::BenchArgs;
use crate::floods::args::FloodsArgs;
use crate::soak::args::SoakArgs;

/// Measures and tests flow tables.
#[derive(Debug, Parser)]
#[command(name = "flow-table-bench", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the backends, other maps, and what the hardware allows.
    ///
    /// Without further options: a short form, in less than a minute.
    Bench(Box<BenchArgs>),
    /// Call everything on tables, from all threads, for a given time, and check the results.
    ///
    /// Stops by itself. Writes its progress to the standard error each second and after each round. The exit
    /// status is 1 if a rule of the contract was violated. The summary says which.
    Soak(SoakArgs),
    /// Flood a table of each backend with flows and let them expire, again and again, and report the memory that
    /// is kept.
    ///
    /// Each table is in a process of its own. The exit status is 1 if memory is kept that the backend promises to
    /// give back.
    Floods(FloodsArgs),
}
