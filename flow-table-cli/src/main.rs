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
    let control = Control::of_signals()?;
    let complete = match cli.command {
        Command::Replay(args) => flow_table_cli::run::replay(&args, &control, &mut stdout(), &mut stderr())?,
    };
    Ok(match control.signal() {
        Some(signal) => ExitCode::from(128 + signal),
        None if complete => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}
