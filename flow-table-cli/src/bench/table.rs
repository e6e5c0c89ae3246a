//! The results for people.

use std::io::{self, Write};

use super::row::Row;
use super::size;

/// Writes one block for each workload, size and number of threads.
pub(crate) fn write(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    writeln!(
        out,
        "ns per operation: median of the rounds (fastest – slowest). × dashmap: so many times as fast; × floor: \
         so\n\
         many times the floor's time. p50 … max: one operation, or one burst of 32, in ns.\n"
    )?;
    writeln!(
        out,
        "{:<17} {:>9} {:>3}  {:<16} {:>9} {:>19} {:>9} {:>7} {:>7} {:>7} {:>9} {:>11} {:>10}",
        "workload",
        "flows",
        "thr",
        "candidate",
        "ns/op",
        "(min – max)",
        "× dashmap",
        "× floor",
        "p50",
        "p99",
        "p99.99",
        "max",
        "bytes/flow"
    )?;
    let cells = rows.chunk_by(|a, b| (&a.workload, a.flows, a.threads) == (&b.workload, b.flows, b.threads));
    for cell in cells {
        for row in cell {
            write_row(out, cell, row)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_row(out: &mut impl Write, cell: &[Row], row: &Row) -> io::Result<()> {
    let median_of = |name: &str| cell.iter().find(|row| row.candidate == name).map(|row| row.ns_per_op.median);
    let floor = if row.workload.starts_with("borrow") { "floor" } else { "floor_counted" };
    let ns = row.ns_per_op;
    writeln!(
        out,
        "{:<17} {:>9} {:>3}  {:<16} {:>9} {:>19} {:>9} {:>7} {:>7} {:>7} {:>9} {:>11} {:>10}",
        row.workload,
        size::flows(row.flows),
        row.threads,
        row.candidate,
        number(ns.median),
        format!("({} – {})", number(ns.min), number(ns.max)),
        optional(median_of("dashmap").map(|dashmap| dashmap / ns.median), |ratio| format!("{ratio:.2}")),
        optional(median_of(floor).map(|floor| ns.median / floor), |ratio| format!("{ratio:.2}")),
        optional(row.p50, |ns| ns.to_string()),
        optional(row.p99, |ns| ns.to_string()),
        optional(row.p9999, |ns| ns.to_string()),
        optional(row.max_ns, |ns| ns.to_string()),
        optional(row.bytes_per_flow, |bytes| format!("{bytes:.1}")),
    )
}

fn optional<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(String::new, show)
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}
