//! The program `flow-table`.

#![forbid(unsafe_code)]

use std::io::{stderr, stdout};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use flow_table_cli::args::{Cli, Command};
use flow_table_cli::control::Control;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("flow-table: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
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
        Command::Replay(args) => flow_table_cli::run::replay(&args, &control, &mut stdout(), &mut stderr())?,
    };
    Ok(match control.signal() {
        Some(signal) => ExitCode::from(128 + signal),
        None if complete => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}
