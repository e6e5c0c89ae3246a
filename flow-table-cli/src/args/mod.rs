//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::idle::duration;

mod flows;
mod output;

pub use flows::FlowArgs;
pub use output::OutputArgs;

/// Replays captures through a flow table.
#[derive(Debug, Parser)]
#[command(name = "flow-table", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay captures through a flow table, in packet time, and print what flows they contain.
    ///
    /// Each capture goes through its own table, unless `--merge` makes them one. SIGINT and SIGTERM end the replay
    /// with the summary so far, and SIGUSR1 prints it.
    ///
    /// The exit status is 1 if a capture could not be read to its end, except for one that was cut off within its
    /// last packet; in any case, the packets before are counted and exported. It is 2 for wrong usage, and 128
    /// plus the signal's number after a signal.
    Replay(ReplayArgs),
    /// Show the replication of flow tables over NATS: owners, records, and what a standby lacks.
    ///
    /// The exit status is 1 if what was checked is not as it should be.
    #[cfg(feature = "replicate")]
    Replicate(flow_table_replicate::command::Arguments),
}

/// How to replay.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// What flows are.
    #[command(flatten)]
    pub flows: FlowArgs,
    /// What is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Take all captures as one, in the order of their packets' times.
    #[arg(long)]
    pub merge: bool,
    /// Sort packets that are at most this much out of order.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub sort_window: Option<Duration>,
    /// Wait for more at the end of a file that another program still writes, until a signal.
    #[arg(long)]
    pub follow: bool,
    /// Captures: pcap or pcapng, also compressed with gzip, zstd or lz4; `-` is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub files: Vec<PathBuf>,
}
