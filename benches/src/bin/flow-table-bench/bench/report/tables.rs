//! All results: for each workload a table of times, and where they are worth it, of latencies.

use std::fmt::{self, Write};

use flow_table_benches::{Candidate, Workload};

use crate::bench::record::Record;
use crate::bench::row::Row;
use crate::bench::size;

pub(super) fn write(text: &mut String, record: &Record) -> fmt::Result {
    text.push_str(
        "ns per operation, the median of the rounds, for numbers of flows and threads; in parentheses, how many \
         times as fast as `dashmap` in the same rounds. `benches/record` has the fastest and slowest rounds, \
         too.\n",
    );
    for workload in Workload::all() {
        let columns = columns(record, workload);
        if columns.is_empty() {
            continue;
        }
        write!(text, "\n### `{workload}`\n\n| |")?;
        for (flows, threads) in &columns {
            write!(text, " {}, {threads} thr |", size::flows(*flows))?;
        }
        write!(text, "\n|---|{}\n", "---:|".repeat(columns.len()))?;
        for candidate in record.candidates(workload) {
            write!(text, "| {candidate} |")?;
            for &(flows, threads) in &columns {
                write!(text, " {} |", cell(record, workload, candidate, flows, threads))?;
            }
            text.push('\n');
        }
        latencies(text, record, workload)?;
        absent(text, record, workload)?;
    }
    Ok(())
}

fn columns(record: &Record, workload: Workload) -> Vec<(usize, usize)> {
    let settings = record.rows.iter().filter(|row| row.workload == workload.name());
    let mut settings: Vec<(usize, usize)> = settings.map(|row| (row.flows, row.threads)).collect();
    settings.sort_unstable();
    settings.dedup();
    settings
}

fn cell(record: &Record, workload: Workload, candidate: Candidate, flows: usize, threads: usize) -> String {
    let Some(own) = record.median(workload, candidate, flows, threads) else { return String::new() };
    let digits = if own < 100.0 { 1 } else { 0 };
    match record.ratio(workload, [Candidate::Dashmap, candidate], flows, threads) {
        Some(ratio) if candidate != Candidate::Dashmap => format!("{own:.digits$} ({:.1}×)", ratio.median),
        _ => format!("{own:.digits$}"),
    }
}

/// Of one thread, at the largest size.
fn latencies(text: &mut String, record: &Record, workload: Workload) -> fmt::Result {
    let Some(flows) = record.sizes().pop().filter(|_| workload.has_latency()) else { return Ok(()) };
    let rows = record.candidates(workload).filter_map(|candidate| record.row(workload, candidate, flows, 1));
    let rows: Vec<&Row> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let step = if workload.step() == 1 { "operation".into() } else { format!("burst of {}", workload.step()) };
    let bytes = rows.iter().any(|row| row.bytes_per_flow.is_some());
    write!(
        text,
        "\nOne {step}, {} flows, one thread, ns:\n\n| | p50 | p99 | p99.99 | worst |",
        size::flows(flows)
    )?;
    text.push_str(if bytes {
        " bytes per flow |\n|---|---:|---:|---:|---:|---:|\n"
    } else {
        "\n|---|---:|---:|---:|---:|\n"
    });
    for row in rows {
        write!(text, "| {} |", row.candidate)?;
        for value in [row.p50, row.p99, row.p9999, row.max_ns] {
            write!(text, " {} |", value.map_or_else(String::new, |ns| ns.to_string()))?;
        }
        if bytes {
            write!(text, " {} |", row.bytes_per_flow.map_or_else(String::new, |bytes| format!("{bytes:.1}")))?;
        }
        text.push('\n');
    }
    Ok(())
}

/// The candidates that cannot run the workload, and why.
fn absent(text: &mut String, record: &Record, workload: Workload) -> fmt::Result {
    let measured = |candidate: &Candidate| record.rows.iter().any(|row| row.candidate == candidate.name());
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for candidate in Candidate::ALL.iter().filter(|candidate| measured(candidate)) {
        let Some(reason) = candidate.cannot(workload) else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(candidate.name()),
            None => reasons.push((reason, vec![candidate.name()])),
        }
    }
    for (reason, names) in reasons {
        write!(text, "\nNot {}: {reason}.\n", names.join(", "))?;
    }
    Ok(())
}
