//! The command `floods`: tables that are flooded with flows which then expire, again and again, and the memory
//! that is left each time (contract C3).

use std::env;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use indicatif::HumanCount;

use self::args::FloodsArgs;
use self::flooded::Flooded;
use self::measure::{Moment, Row, measure};
use self::survivors::Survivors;
use crate::backend::Backend;
use crate::bench::machine::Machine;
use crate::bench::progress::Progress;

pub mod args;
mod flooded;
mod key;
mod measure;
mod plot;
mod survivors;
mod table;

/// Floods a table of each backend. Returns `true` if each gave back the memory that it promises to give back.
///
/// # Errors
///
/// Returns an error if a table refuses or loses a flow, or something cannot be started or written.
pub fn run(args: &FloodsArgs, out: &mut impl Write) -> Result<bool> {
    if let Some(backend) = args.here {
        let progress = Progress::new(args.floods);
        progress.says(format!("{backend}: floods of {} flows", HumanCount(args.flows as u64)));
        let report = |row: Row| {
            if row.moment == Moment::Reaped {
                progress.step();
            }
            serde_json::to_writer(&mut *out, &row)?;
            Ok(writeln!(out)?)
        };
        match backend {
            Backend::Dashmap => measure::<flow_table::dashmap::FlowTable<_, _>>(args, report)?,
            Backend::Custom => measure::<flow_table::custom::FlowTable<_, _>>(args, report)?,
        }
        return Ok(true);
    }
    let flooded: Vec<Flooded> =
        Backend::value_variants().iter().map(|&backend| in_process(backend, args)).collect::<Result<_>>()?;
    if args.json {
        json(&flooded, out)?
    } else {
        table::write(&flooded, args, out)?
    }
    out.flush()?;
    if let Some(directory) = &args.record {
        let cannot = || format!("{}: cannot write the record", directory.display());
        save(&flooded, args, directory).with_context(cannot)?;
    }
    Ok(flooded.iter().all(Flooded::gave_back))
}

/// Floods a table in a process of its own, in which no other table has left memory.
fn in_process(backend: Backend, args: &FloodsArgs) -> Result<Flooded> {
    let program = env::current_exe().context("cannot find this program to start it again")?;
    let mut command = Command::new(program);
    command.args(["floods", "--here", backend.candidate().name()]);
    for (name, count) in [("--floods", args.floods), ("--flows", args.flows), ("--lasting", args.lasting)] {
        command.args([name, &count.to_string()]);
    }
    command.args(["--survivors", &args.survivors.to_string()]);
    command.args(["--stalled-bursts", &args.stalled_bursts.to_string()]);
    let output = command.stderr(Stdio::inherit()).output().context("cannot start this program again")?;
    ensure!(output.status.success(), "flooding {backend} failed: {}", output.status);
    let rows = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let rows = rows.collect::<Result<_, _>>().context("a process that flooded a table gave no results")?;
    Ok(Flooded { backend, stalled_bursts: args.stalled_bursts as u64, rows })
}

/// One object per measurement.
fn json(flooded: &[Flooded], out: &mut impl Write) -> Result<()> {
    #[derive(serde::Serialize)]
    struct Object<'r> {
        backend: Backend,
        #[serde(flatten)]
        row: &'r Row,
    }
    for Flooded { backend, rows, .. } in flooded {
        for row in rows {
            serde_json::to_writer(&mut *out, &Object { backend: *backend, row })?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn save(flooded: &[Flooded], args: &FloodsArgs, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let mut machine = serde_json::to_vec_pretty(&Machine::this())?;
    machine.push(b'\n');
    fs::write(directory.join("machine.json"), machine)?;
    let mut results = BufWriter::new(fs::File::create(directory.join("results.jsonl"))?);
    json(flooded, &mut results)?;
    results.flush()?;
    let (floods, flows) = (args.floods, HumanCount(args.flows as u64));
    let mut title = format!("Memory in {floods} floods of {flows} flows, and after each");
    if args.survivors != Survivors::OnTop {
        title.push_str(&format!("; {} survive", args.survivors));
    }
    if args.stalled_bursts > 0 {
        title.push_str(&format!("; {} bursts stall", args.stalled_bursts));
    }
    plot::draw(flooded, &title, &directory.join("memory.svg"))
}
