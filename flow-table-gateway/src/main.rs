//! The gateway's program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

/// NAT and stateful firewall in user space.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a gateway until SIGTERM. It needs CAP_NET_ADMIN. SIGHUP reads the configuration again.
    Run {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The form of the log on standard error. The variable RUST_LOG says how much there is.
        #[arg(long, value_enum, default_value_t = LogForm::Text)]
        log: LogForm,
    },
    /// Checks a configuration.
    Check {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Shows what a running gateway has.
    Show {
        #[command(subcommand)]
        what: What,
    },
    /// Ends all flows of a running gateway.
    Flush(Socket),
    /// Makes a running gateway of a pair the active one. Call it when packets come here and no longer to the
    /// other.
    Promote(Socket),
    /// Has a running gateway read its configuration again.
    Reload(Socket),
}

#[derive(Subcommand)]
enum What {
    /// Its flows.
    Flows {
        /// Words that must all be true: protocol=tcp, host=10.0.0.2, net=10.0.0.0/8, port=80, phase=established,
        /// from=inside.
        #[arg(long, default_value = "")]
        filter: String,
        #[command(flatten)]
        socket: Socket,
    },
    /// Its statistics.
    Stats(Socket),
}

#[derive(clap::Args)]
struct Socket {
    /// The socket of the gateway.
    #[arg(long, default_value = "/run/flow-table-gateway.sock")]
    socket: PathBuf,
    /// Prints lines of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogForm {
    Text,
    Json,
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    let _ = Arguments::parse();
    eprintln!("error: the gateway runs on Linux only");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match execute(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads the output has seen enough.
#[cfg(target_os = "linux")]
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(target_os = "linux")]
fn execute(command: Command) -> anyhow::Result<()> {
    use flow_table_gateway::{Config, Request, run};

    match command {
        Command::Run { config, log } => {
            start_log(log);
            run(&config)
        }
        Command::Check { config } => {
            Config::read(&config)?;
            Ok(())
        }
        Command::Show { what: What::Flows { filter, socket } } => show(&socket, &Request::Flows(filter)),
        Command::Show { what: What::Stats(socket) } => show(&socket, &Request::Stats),
        Command::Flush(socket) => show(&socket, &Request::Flush),
        Command::Reload(socket) => show(&socket, &Request::Reload),
        Command::Promote(socket) => show(&socket, &Request::Promote),
    }
}

#[cfg(target_os = "linux")]
fn start_log(form: LogForm) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match form {
        LogForm::Text => log.with_ansi(false).init(),
        LogForm::Json => log.json().init(),
    }
}

#[cfg(target_os = "linux")]
fn show(socket: &Socket, request: &flow_table_gateway::Request) -> anyhow::Result<()> {
    use anyhow::Context;
    use flow_table_gateway::Reply;

    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut refused = None;
    let answer = flow_table_gateway::ask(&socket.socket, request, |reply| match reply {
        Reply::Error(error) => {
            refused = Some(error);
            Ok(())
        }
        reply if socket.json => writeln!(out, "{}", serde_json::to_string(&reply)?),
        Reply::Flow(flow) => writeln!(out, "{flow}"),
        Reply::Ended(flows) => writeln!(out, "{flows} flows ended"),
        Reply::Promoted(promoted) => writeln!(out, "{}", serde_json::to_string_pretty(&promoted)?),
        Reply::Stats(stats) => writeln!(out, "{}", serde_json::to_string_pretty(&stats)?),
    });
    match answer {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(error.into()),
        answer => answer.with_context(|| format!("no gateway answers at {}", socket.socket.display()))?,
    }
    out.flush()?;
    refused.map_or(Ok(()), |error| Err(anyhow::anyhow!(error)))
}
