//! The program `flow-table`.

#![forbid(unsafe_code)]

use std::env;
use std::io::{stderr, stdout};
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use flow_table_cli::args::{Cli, Command};
use flow_table_cli::control::Control;
use flow_table_cli::log::Level;
use flow_table_cli::{config, manual, run};

fn main() -> ExitCode {
    let arguments = match config::with_file(&Cli::command(), env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => Cli::command().error(ErrorKind::ValueValidation, error).exit(),
    };
    let cli = Cli::parse_from(arguments);
    let log_format = cli.command.log_format();
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            // If standard error is closed, the status still tells.
            let _ = log_format.write(&mut stderr(), Level::Error, &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> Result<ExitCode> {
    #[cfg(feature = "replicate")]
    if let Command::Replicate(arguments) = &cli.command {
        // A signal ends it as it ends any program: it holds nothing that would be lost.
        let right = flow_table_replicate::command::run(arguments, &mut stdout())?;
        return Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let control = Control::of_signals()?;
    let complete = match cli.command {
        #[cfg(feature = "replicate")]
        Command::Replicate(_) => true,
        Command::Replay(args) => run::replay(&args, &control, &mut stdout(), &mut stderr())?,
        #[cfg(all(feature = "live", target_os = "linux"))]
        Command::Live(args) => run::live(&args, &control, &mut stdout(), &mut stderr())?,
        #[cfg(feature = "top")]
        Command::Top(args) => flow_table_cli::top::top(&args, &control)?,
        Command::Completions { shell } => {
            manual::completions(shell, &mut stdout());
            true
        }
        Command::Man { folder } => {
            manual::pages(&folder)?;
            true
        }
    };
    Ok(match control.signal() {
        Some(signal) => ExitCode::from(128 + signal),
        None if complete => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}
