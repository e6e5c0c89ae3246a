use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::args::SoakArgs;
use super::tally::Total;
use crate::backend::Backend;

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    backend: Backend,
    threads: usize,
    flows: usize,
    seed: u64,
    seconds: f64,
    /// Times that all threads stopped and the whole table was checked.
    rounds: u64,
    operations: u64,
    by_operation: BTreeMap<&'static str, u64>,
    /// Values made and dropped.
    values: u64,
    inserted: u64,
    refused: u64,
    ended: Ends,
    /// Values that panicked in their `Drop`.
    panics: u64,
    /// Bursts that were never closed.
    bursts_forgotten: u64,
    table_bytes: usize,
    resident_bytes: u64,
    /// What was found wrong.
    violation: Option<String>,
}

#[derive(Debug, Serialize)]
struct Ends {
    expired: u64,
    cancelled: u64,
    removed: u64,
    replaced: u64,
    evicted: u64,
}

/// What the watch over the threads saw.
pub(super) struct Seen {
    pub(super) elapsed: Duration,
    pub(super) rounds: u64,
    /// The most at the end of any second.
    pub(super) table_bytes: usize,
    pub(super) resident_bytes: u64,
}

impl Summary {
    pub(super) fn new(args: &SoakArgs, seed: u64, total: &Total, seen: &Seen) -> Self {
        let Total { tally, ended, .. } = total;
        Self {
            backend: args.backend,
            threads: args.threads,
            flows: args.flows,
            seed,
            seconds: seen.elapsed.as_secs_f64(),
            rounds: seen.rounds,
            operations: tally.operations(),
            by_operation: tally.by_operation().map(|(operation, times)| (operation.name(), times)).collect(),
            values: tally.made.count,
            inserted: total.inserts,
            refused: total.refusals,
            ended: Ends {
                expired: ended.expired,
                cancelled: ended.cancelled,
                removed: ended.removed,
                replaced: ended.replaced,
                evicted: ended.evicted,
            },
            panics: total.panics,
            bursts_forgotten: total.bursts_forgotten,
            table_bytes: seen.table_bytes,
            resident_bytes: seen.resident_bytes,
            violation: None,
        }
    }

    pub(super) fn violated(self, violation: Option<String>) -> Self {
        Self { violation, ..self }
    }

    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    pub(super) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { backend, threads, flows, seed, seconds, rounds, values, ended, .. } = self;
        writeln!(out, "{backend}: {threads} threads, room for {} flows, seed {seed}", HumanCount(*flows as u64))?;
        let mut kinds: Vec<_> = self.by_operation.iter().collect();
        kinds.sort_by_key(|(name, times)| (std::cmp::Reverse(**times), **name));
        let kinds: Vec<_> = kinds.iter().map(|(name, times)| format!("{name} {}", HumanCount(**times))).collect();
        for (label, text) in [
            ("time", format!("{seconds:.1} s; the whole table checked {rounds} times")),
            ("operations", format!("{}: {}", HumanCount(self.operations), kinds.join(", "))),
            ("flows", format!("{} inserted, {} refused", HumanCount(self.inserted), HumanCount(self.refused))),
            (
                "ended",
                format!(
                    "expired {}, cancelled {}, removed {}, replaced {}, evicted {}",
                    HumanCount(ended.expired),
                    HumanCount(ended.cancelled),
                    HumanCount(ended.removed),
                    HumanCount(ended.replaced),
                    HumanCount(ended.evicted)
                ),
            ),
            (
                "hostile",
                format!(
                    "{} values panicked when dropped, {} bursts never closed",
                    HumanCount(self.panics),
                    HumanCount(self.bursts_forgotten)
                ),
            ),
            (
                "memory",
                format!(
                    "table at most {}, resident at most {}",
                    HumanBytes(self.table_bytes as u64),
                    HumanBytes(self.resident_bytes)
                ),
            ),
            match &self.violation {
                Some(violation) => ("VIOLATED", violation.clone()),
                None => ("result", format!("no rule violated; {} values dropped once each", HumanCount(*values))),
            },
        ] {
            writeln!(out, "  {label:<10} {text}")?;
        }
        Ok(())
    }
}
