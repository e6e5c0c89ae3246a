//! The command `bench`, which does what Criterion cannot do.
//!
//! All candidates of a workload take turns in one process, so that ratios are valid even where times are not.
//! Tables grow in their own processes, which also measure the bytes per flow. Results can be recorded, reported
//! and compared.

use std::io::Write;

use anyhow::Result;

use self::args::{BenchArgs, BenchCommand, MeasureArgs};
use self::machine::Machine;
use self::record::Record;
use self::row::Row;

pub mod args;
mod compare;
mod grow;
pub(crate) mod machine;
mod plan;
pub(crate) mod plot;
pub(crate) mod progress;
mod record;
mod report;
mod row;
mod schedule;
mod size;
mod table;

/// Does what the command line says. Returns `true` if nothing is wrong.
///
/// # Errors
///
/// Returns an error if a table could not be measured, a record could not be read, or something could not be
/// written.
pub fn run(args: &BenchArgs, out: &mut impl Write) -> Result<bool> {
    let well = match &args.command {
        None => measure(&args.measure, out).map(|()| true),
        Some(BenchCommand::Grow(args)) => grow::here(args.candidate, args.flows, out).map(|()| true),
        Some(BenchCommand::Report(args)) => {
            report::write(&args.record, args.before.as_deref(), &args.output).map(|()| true)
        }
        Some(BenchCommand::Compare(args)) => compare::run(args, out),
    }?;
    out.flush()?;
    Ok(well)
}

fn measure(args: &MeasureArgs, out: &mut impl Write) -> Result<()> {
    let machine = Machine::this();
    let plan = plan::Plan::new(args);
    let mut rows = Vec::new();
    schedule::run(&plan, |row| {
        if args.json {
            serde_json::to_writer(&mut *out, &row.figures())?;
            writeln!(out)?;
        }
        rows.push(row);
        Ok(())
    })?;
    rows.sort_by_key(Row::place);
    let skipped = plan.candidates.iter().filter_map(|candidate| Some((candidate, candidate.missing_library()?)));
    for (candidate, library) in skipped {
        let line = format!("SKIPPED: {candidate}: {library} was not found");
        // Nothing but results goes among results.
        if args.json { eprintln!("{line}") } else { writeln!(out, "{line}")? }
    }
    if !args.json {
        table::write(out, &rows)?;
    }
    if let Some(directory) = &args.record {
        Record { machine, rows }.save(directory)?;
        if let Some(file) = &args.report {
            report::write(directory, args.before.as_deref(), file)?;
        }
    }
    Ok(())
}
