//! The program `flow-table`.

#![forbid(unsafe_code)]

use std::io::{stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use flow_table_cli::args::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Replay(args) => flow_table_cli::run::replay(&args, &mut stdout().lock(), &mut stderr()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flow-table: {error:#}");
            ExitCode::FAILURE
        }
    }
}
