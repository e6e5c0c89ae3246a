//! Where others are faster or smaller than `custom`: generated, so that nothing is forgotten.

use std::fmt::{self, Write};

use flow_table_benches::{Candidate, Role, Workload};

use crate::bench::record::Record;
use crate::bench::row::Row;
use crate::bench::size;

pub(super) fn write(text: &mut String, record: &Record) -> fmt::Result {
    text.push_str(
        "All results in which a peer or `dashmap` needs less time than `custom`, beyond the range of the \
         rounds, or less memory. Mind that peers do less: no timers, no statuses, no capacity.\n\n\
         | workload | flows | threads | who | time by custom's | bytes by custom's |\n|---|---|---|---|---|---|\n",
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
        let (time, bytes) = (faster(row, custom), smaller(row, custom));
        if time.is_some() || bytes.is_some() {
            let show = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let Row { workload, flows, threads, candidate, .. } = row;
            let (time, bytes) = (show(time), show(bytes));
            writeln!(
                text,
                "| `{workload}` | {} | {threads} | {candidate} | {time} | {bytes} |",
                size::flows(*flows)
            )?;
            lines += 1;
        }
    }
    if lines == 0 {
        text.push_str("| none | | | | | |\n");
    }
    Ok(())
}

fn faster(row: &Row, custom: &Row) -> Option<f64> {
    let (other, own) = (row.ns_per_op, custom.ns_per_op);
    (other.median < own.min && other.max < own.median).then(|| other.median / own.median)
}

fn smaller(row: &Row, custom: &Row) -> Option<f64> {
    let (other, own) = row.bytes_per_flow.zip(custom.bytes_per_flow)?;
    (other < own).then(|| other / own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::{record, row};

    #[test]
    fn losses_are_told() {
        let rows = vec![
            row(Workload::Iterate, Candidate::Custom, 8, 1, 10.0),
            row(Workload::Iterate, Candidate::Scc, 8, 1, 2.0),
            row(Workload::Iterate, Candidate::Moka, 8, 1, 20.0),
            row(Workload::Iterate, Candidate::Papaya, 8, 1, 9.99),
        ];
        let mut text = String::new();
        write(&mut text, &record(rows)).expect("strings can be written to");
        assert!(text.contains("| `iterate` | 8 | 1 | scc | 0.20 |  |"), "{text}");
        assert!(!text.contains("moka") && !text.contains("papaya"), "{text}");
    }
}
