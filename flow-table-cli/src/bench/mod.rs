//! The command `bench`: what Criterion cannot do.
//!
//! All candidates of a workload take turns in one process, so that ratios hold even where times do not; tables grow in
//! processes of their own, which also tell the bytes per flow.

use std::io::Write;

use anyhow::Result;

use self::args::BenchArgs;

pub mod args;
mod grow;
mod plan;
mod progress;
pub mod row;
mod schedule;
mod table;

/// Does what the command line says; whether all is well.
///
/// # Errors
///
/// If `out` cannot be written to, or a table could not be measured.
pub fn run(args: &BenchArgs, out: &mut impl Write) -> Result<bool> {
    if let Some(candidate) = args.grow_here {
        grow::here(candidate, args.flows.first().copied().unwrap_or(1), out)?;
        return Ok(true);
    }
    let plan = plan::Plan::new(args);
    let mut rows = Vec::new();
    schedule::run(&plan, |row| {
        if args.json {
            serde_json::to_writer(&mut *out, &row)?;
            writeln!(out)?;
        }
        rows.push(row);
        Ok(())
    })?;
    if !args.json {
        table::write(out, &rows)?;
    }
    out.flush()?;
    Ok(true)
}
