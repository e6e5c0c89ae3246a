//! Where others are faster or smaller than `custom`. The list is generated, so that nothing is forgotten.

use std::fmt::{self, Write};

use flow_table_benches::{Candidate, Role, Workload};

use crate::bench::record::Record;
use crate::bench::row::Row;
use crate::bench::size;

pub(super) fn write(text: &mut String, record: &Record) -> fmt::Result {
    text.push_str(
        "All results in which a peer or `dashmap` needs less time than `custom` in every round, less \
         memory, or, while growing, less time for all but one insertion in 10,000. Mind that peers \
         do less: no timers, no statuses, no capacity.\n\n\
         | workload | flows | threads | who | time by custom's | bytes by custom's | p99.99 by custom's |\n\
         |---|---:|---:|---|---:|---:|---:|\n",
    );
    let mut lines = 0;
    for row in &record.rows {
        let Ok(candidate) = row.candidate.parse::<Candidate>() else { continue };
        let custom = row
            .workload
            .parse::<Workload>()
            .ok()
            .and_then(|workload| record.row(workload, Candidate::Custom, row.flows, row.threads));
        let Some(custom) = custom.filter(|_| candidate.role() != Role::Floor && candidate != Candidate::Custom)
        else {
            continue;
        };
        let (time, bytes, tail) = (faster(row, custom), smaller(row, custom), steadier(row, custom));
        if time.or(bytes).or(tail).is_some() {
            let show = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let Row { workload, flows, threads, candidate, .. } = row;
            let (time, bytes, tail) = (show(time), show(bytes), show(tail));
            writeln!(
                text,
                "| `{workload}` | {} | {threads} | {candidate} | {time} | {bytes} | {tail} |",
                size::flows(*flows)
            )?;
            lines += 1;
        }
    }
    if lines == 0 {
        text.push_str("| none | | | | | | |\n");
    }
    Ok(())
}

/// In each round.
fn faster(row: &Row, custom: &Row) -> Option<f64> {
    row.by(custom).filter(|ratio| ratio.max < 1.0).map(|ratio| ratio.median)
}

fn smaller(row: &Row, custom: &Row) -> Option<f64> {
    let (other, own) = row.bytes_per_flow.zip(custom.bytes_per_flow)?;
    (other < own).then(|| other / own)
}

/// Only in `grow` does the tail belong to the candidate. Elsewhere it is due to the operating system.
fn steadier(row: &Row, custom: &Row) -> Option<f64> {
    let (other, own) = row.p9999.zip(custom.p9999).filter(|_| row.workload == Workload::Grow.name())?;
    (other < own).then(|| other as f64 / own as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::{record, row};

    #[test]
    fn losses_are_told() {
        let mut sometimes = row(Workload::Iterate, Candidate::Papaya, 8, 1, 5.0);
        sometimes.rounds[0] = 11.0;
        let rows = vec![
            row(Workload::Iterate, Candidate::Custom, 8, 1, 10.0),
            row(Workload::Iterate, Candidate::Scc, 8, 1, 2.0),
            row(Workload::Iterate, Candidate::Moka, 8, 1, 20.0),
            sometimes,
        ];
        let mut text = String::new();
        write(&mut text, &record(rows)).expect("strings can be written to");
        assert!(text.contains("| `iterate` | 8 | 1 | scc | 0.20 |  |  |"), "{text}");
        assert!(!text.contains("moka") && !text.contains("papaya"), "{text}");
    }
}
