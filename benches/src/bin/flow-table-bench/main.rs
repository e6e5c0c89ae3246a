//! The program `flow-table-bench`, for people who develop the table. It measures the backends and tests them hard.

#![forbid(unsafe_code)]

mod args;
mod backend;
mod bench;
mod count;
mod floods;
mod soak;

use std::io::{stderr, stdout};
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args, &mut stdout().lock()),
        Command::Floods(args) => floods::run(&args, &mut stdout().lock()),
        Command::Soak(args) => soak::run(&args, &mut stdout().lock(), &mut stderr()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flow-table-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
