use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::{status, tail, verify};
use crate::transport::nats::{NatsConfig, NatsTransport};

/// Shows the replication of flow tables over NATS.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// The servers, separated by commas.
    #[arg(long, global = true, default_value = "nats://127.0.0.1:4222")]
    nats: String,
    /// The name of the cluster.
    #[arg(long, global = true, default_value = "edge")]
    cluster: String,
    /// A user, if the servers ask for one. Its password is read from the variable `NATS_PASSWORD`.
    #[arg(long, global = true)]
    user: Option<String>,
    /// A file of credentials.
    #[arg(long, global = true)]
    credentials: Option<PathBuf>,
    /// A file of certificates of authorities, in PEM.
    #[arg(long, global = true)]
    ca: Option<PathBuf>,
    /// A certificate to show to the servers, in PEM.
    #[arg(long, global = true, requires = "key")]
    certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[arg(long, global = true, requires = "certificate")]
    key: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Owners and epochs of shards, the log and who reads it, and what is written into it.
    Status {
        /// For how many seconds to count what is written.
        #[arg(long, default_value_t = 2)]
        seconds: u64,
    },
    /// Every record in clear: what the log holds, and then what comes.
    Tail {
        /// Stop after so many records.
        #[arg(long)]
        records: Option<u64>,
    },
    /// Follows the log as a standby does, and compares what it gives with what owners name in their sweeps,
    /// shard by shard. Fails if flows are missing.
    Verify {
        /// Stop after so many complete sweeps. The first two may find flows that began before the log does.
        #[arg(long, default_value_t = 3)]
        sweeps: u64,
        /// Give up after so many seconds.
        #[arg(long, default_value_t = 120)]
        seconds: u64,
    },
}

/// Runs the command. Returns `false` if it ran, and what it checked is not as it should be.
///
/// # Errors
///
/// If NATS cannot be reached, or the output not written.
pub fn run(arguments: &Arguments, output: &mut dyn Write) -> Result<bool, Failure> {
    let config = NatsConfig {
        login: arguments.user.clone().map(|user| (user, std::env::var("NATS_PASSWORD").unwrap_or_default())),
        credentials: arguments.credentials.clone(),
        authorities: arguments.ca.clone(),
        identity: arguments.certificate.clone().zip(arguments.key.clone()),
        ..NatsConfig::new(&arguments.nats, &arguments.cluster)
    };
    let transport = NatsTransport::observe(&config)?;
    match arguments.action {
        Action::Status { seconds } => status::run(&transport, Duration::from_secs(seconds), output),
        Action::Tail { records } => tail::run(&transport, records.unwrap_or(u64::MAX), output),
        Action::Verify { sweeps, seconds } => {
            verify::run(&transport, sweeps, Duration::from_secs(seconds), output)
        }
    }
}
