//! The report: what was measured, how, and what the results are.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use flow_table_benches::Workload;

use super::machine::Machine;
use super::record::Record;

mod floors;
mod instructions;
mod noise;
mod plots;
mod tables;
mod targets;
mod wins;

/// Writes the report on the record in `directory`, and its plots into that directory.
pub(crate) fn write(directory: &Path, before: Option<&Path>, output: &Path) -> Result<()> {
    let record = Record::load(directory)?;
    let before = before.map(Record::load).transpose()?;
    let plots = plots::draw(&record, &directory.join("plots"))?;
    let base = output.parent().unwrap_or(Path::new(""));
    let link = |path: &Path| path.strip_prefix(base).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let mut text = String::new();
    page(&mut text, directory, &record, before.as_ref(), &plots, link)?;
    fs::write(output, text).with_context(|| format!("{}: cannot write", output.display()))
}

fn page(
    text: &mut String,
    directory: &Path,
    record: &Record,
    before: Option<&Record>,
    plots: &[plots::Plot],
    link: impl Fn(&Path) -> String,
) -> Result<()> {
    text.push_str(INTRODUCTION);
    machine(text, &record.machine)?;
    text.push_str("\n## Targets\n\n");
    targets::write(text, record)?;
    text.push_str("\n## How far from the hardware\n\n");
    floors::write(text, record)?;
    text.push_str("\n## Plots\n");
    for plot in plots {
        write!(text, "\n### {}\n\n{}\n\n![{}]({})\n", plot.title, plot.remark, plot.title, link(&plot.path))?;
    }
    text.push_str("\n## Where others win\n\n");
    wins::write(text, record)?;
    text.push_str("\n## Instructions per operation\n\n");
    instructions::write(text, directory)?;
    text.push_str("\n## Noise\n\n");
    noise::write(text, record, before)?;
    text.push_str(CONCLUSIONS);
    text.push_str("\n## Workloads\n\n");
    for workload in Workload::all() {
        writeln!(text, "* **`{workload}`** — {}", workload.about())?;
    }
    text.push_str("\n## Results\n\n");
    tables::write(text, record)?;
    Ok(())
}

fn machine(text: &mut String, machine: &Machine) -> Result<()> {
    let Machine { processor, processors, cache, memory, kernel, huge_pages, .. } = machine;
    let Machine { compiler, target, allocator, hasher, commit, clock_ns, .. } = machine;
    let guest = if machine.virtual_machine { ", a virtual machine" } else { "" };
    for (name, value) in [
        ("Processor", format!("{processor}, {processors} used, last-level cache {cache}{guest}")),
        ("Memory", format!("{memory}; huge pages: {huge_pages}")),
        ("Load before", machine.load.clone()),
        ("Kernel", kernel.clone()),
        ("Compiler", format!("{compiler}, {target}, release profile")),
        ("Allocator", allocator.clone()),
        ("Hash function", hasher.clone()),
        ("Commit", commit.clone()),
        ("Reading the clock", format!("{clock_ns} ns")),
    ] {
        writeln!(text, "| {name} | {value} |")?;
    }
    Ok(())
}

const INTRODUCTION: &str = include_str!("introduction.md");
const CONCLUSIONS: &str = include_str!("conclusions.md");
