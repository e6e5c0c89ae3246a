//! The results for people.

use std::io::{self, Write};

use flow_table_benches::Candidate::{self, Dashmap, Floor, FloorCounted, FloorSerial, FloorSerialCounted};

use super::row::Row;
use super::size;

const LEGEND: &str = "\
ns/op     nanoseconds per operation: median of the rounds, and the fastest and slowest round
× dashmap so many times as fast as dashmap
× floor   so many times the time of the hardware floor, where all look-ups overlap
× serial  the same of the floor where each look-up waits for the one before
p50 … max nanoseconds of one operation, or of one burst of 32 (batch, borrow, packet_mix), and of reading the clock

Ratios are those of single rounds, and their median; borrow workloads have the floor without counter.
";

/// Writes one block for each workload, size and number of threads.
pub(crate) fn write(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    out.write_all(LEGEND.as_bytes())?;
    let cells = rows.chunk_by(|a, b| (&a.workload, a.flows, a.threads) == (&b.workload, b.flows, b.threads));
    for cell in cells {
        let Row { workload, flows, threads, .. } = &cell[0];
        let title = format!("{workload}, {} flows, {threads} thread{}", size::flows(*flows), plural(*threads));
        writeln!(
            out,
            "\n{title}\n{:<20} {:>7} {:>15} {:>9} {:>7} {:>8} {:>7} {:>7} {:>9} {:>11} {:>10}",
            "",
            "ns/op",
            "(min – max)",
            "× dashmap",
            "× floor",
            "× serial",
            "p50",
            "p99",
            "p99.99",
            "max",
            "bytes/flow"
        )?;
        for row in cell {
            write_row(out, cell, row)?;
        }
    }
    Ok(())
}

fn write_row(out: &mut impl Write, cell: &[Row], row: &Row) -> io::Result<()> {
    let of = |candidate: Candidate| cell.iter().find(|row| row.candidate == candidate.name());
    let (floor, serial) =
        if row.workload.starts_with("borrow") { (Floor, FloorSerial) } else { (FloorCounted, FloorSerialCounted) };
    let by = |other| Some(row.by(of(other)?)?.median);
    let ns = row.ns_per_op;
    let line = format!(
        "{:<20} {:>7} {:>15} {:>9} {:>7} {:>8} {:>7} {:>7} {:>9} {:>11} {:>10}",
        row.candidate,
        number(ns.median),
        format!("({} – {})", number(ns.min), number(ns.max)),
        optional(by(Dashmap), |ratio| format!("{:.2}", 1.0 / ratio)),
        optional(by(floor), |ratio| format!("{ratio:.2}")),
        optional(by(serial), |ratio| format!("{ratio:.2}")),
        optional(row.p50, |ns| ns.to_string()),
        optional(row.p99, |ns| ns.to_string()),
        optional(row.p9999, |ns| ns.to_string()),
        optional(row.max_ns, |ns| ns.to_string()),
        optional(row.bytes_per_flow, |bytes| format!("{bytes:.1}")),
    );
    writeln!(out, "{}", line.trim_end())
}

fn optional<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(String::new, show)
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
