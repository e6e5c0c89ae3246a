//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::idle::duration;
use crate::log::LogFormat;

mod flows;
mod output;

pub use flows::FlowArgs;
pub use output::OutputArgs;

/// Replays captures through a flow table.
#[derive(Debug, Parser)]
#[command(name = "flow-table", version)]
pub struct Cli {
    /// A TOML file of options by their long names, such as `idle-timeout = "15s"`; for one command in a table with
    /// its name, such as `[replay]`. The command line wins. No file is read unless it is named.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    Replay(Box<ReplayArgs>),
    /// Show the replication of flow tables over NATS: owners, records, and what a standby lacks.
    ///
    /// The exit status is 1 if what was checked is not as it should be.
    #[cfg(feature = "replicate")]
    Replicate(flow_table_replicate::command::Arguments),
    /// Count the flows of an interface as they come (Linux).
    ///
    /// Needs the capability CAP_NET_RAW. SIGINT and SIGTERM end it with the summary, and SIGUSR1 prints it.
    /// Packets that the kernel dropped are counted and told.
    #[cfg(all(feature = "live", target_os = "linux"))]
    Live(Box<LiveArgs>),
    /// Show the flows of an interface or a capture as they come and go.
    #[cfg(feature = "top")]
    Top(Box<TopArgs>),
    /// Print a script that completes this program's arguments in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command, into a folder.
    Man {
        /// The folder, which must exist.
        folder: PathBuf,
    },
}

impl Command {
    /// How problems are written.
    pub const fn log_format(&self) -> LogFormat {
        match self {
            Self::Replay(args) => args.output.log_format,
            #[cfg(all(feature = "live", target_os = "linux"))]
            Self::Live(args) => args.output.log_format,
            _ => LogFormat::Text,
        }
    }
}

/// How to count the flows of an interface.
#[cfg(all(feature = "live", target_os = "linux"))]
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// The interface.
    #[arg(short, long)]
    pub interface: String,
    /// End after this time.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
    /// What flows are.
    #[command(flatten)]
    pub flows: FlowArgs,
    /// What is written.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What to show.
#[cfg(feature = "top")]
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The interface (Linux).
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[arg(short, long, conflicts_with = "file")]
    pub interface: Option<String>,
    /// How many times as fast as they came the packets of a capture come; 0 means as fast as possible.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// What flows are.
    #[command(flatten)]
    pub flows: FlowArgs,
    /// A capture; without it, and without an interface, standard input.
    #[arg(value_name = "CAPTURE")]
    pub file: Option<PathBuf>,
}

#[cfg(feature = "top")]
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed >= 0.0 => Ok(speed),
        _ => Err("expected a number that is not negative".to_owned()),
    }
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

/// What summaries depend on.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What flows are.
    pub flows: &'a FlowArgs,
    /// What is written.
    pub output: &'a OutputArgs,
}
