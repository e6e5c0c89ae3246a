//! The measurements for people.

use std::io::{self, Write};

use indicatif::{HumanBytes, HumanCount};

use super::args::FloodsArgs;
use super::flooded::Flooded;
use super::measure::{Moment, Row};

/// Writes one block for each backend.
pub(super) fn write(flooded: &[Flooded], args: &FloodsArgs, out: &mut impl Write) -> io::Result<()> {
    let (floods, flows, lasting) = (args.floods, HumanCount(args.flows as u64), HumanCount(args.lasting as u64));
    writeln!(
        out,
        "{floods} floods of {flows} flows: the table's account, and what is resident. Survivors: {}, of {lasting} \
         that last. Bursts that stall: {}\n",
        args.survivors, args.stalled_bursts
    )?;
    for Flooded { backend, rows, .. } in flooded {
        writeln!(out, "{:<8} {:>24} {:>28}", backend.to_string(), "full", "reaped")?;
        let mut full = None;
        for row in rows {
            match row.moment {
                Moment::Before => writeln!(out, "{:>8} {:>24} {:>28}", "before", "", bytes(row))?,
                Moment::Full => full = Some(row),
                Moment::Reaped => {
                    let full = full.map(bytes).unwrap_or_default();
                    writeln!(out, "{:>8} {full:>24} {:>28}", row.flood, bytes(row))?;
                }
            }
        }
        writeln!(out)?;
    }
    for flooded in flooded {
        let verdict = if flooded.gave_back() { "was given back each time" } else { "was KEPT" };
        writeln!(out, "{}: the memory that it promises to give back {verdict}", flooded.backend)?;
    }
    Ok(())
}

fn bytes(row: &Row) -> String {
    let resident = row.resident_bytes.map_or_else(|| "?".into(), |bytes| HumanBytes(bytes).to_string());
    format!("{} / {resident}", HumanBytes(row.table_bytes))
}
