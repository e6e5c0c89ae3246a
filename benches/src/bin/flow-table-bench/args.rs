//! What the command line says.

use clap::{Parser, Subcommand};

use crate::bench::args::BenchArgs;
use crate::floods::args::FloodsArgs;
use crate::soak::args::SoakArgs;

/// Measures flow tables, and puts them to the test.
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
    /// Do everything to tables, from all threads, for a given time, and check what comes of it.
    ///
    /// Stops by itself. Tells each second, and after each round, on the standard error how far it is. The exit
    /// status is 1 if a rule of the contract was violated; the summary says which.
    Soak(SoakArgs),
    /// Flood a table of each backend with flows, have them expire, again and again, and tell what memory is kept.
    ///
    /// Each table is in a process of its own. The exit status is 1 if memory is kept that the backend promises to
    /// give back.
    Floods(FloodsArgs),
}
