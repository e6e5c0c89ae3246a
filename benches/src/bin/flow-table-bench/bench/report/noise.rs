//! How far the numbers can be trusted.

use std::fmt::{self, Write};

use flow_table_benches::{Candidate, Role};

use crate::bench::compare::{Change, Comparison, Verdict};
use crate::bench::record::Record;
use crate::bench::size;

/// The tolerance within which results agree. It is the default of the command `compare`.
const TOLERANCE: f64 = 0.1;

pub(super) fn write(text: &mut String, record: &Record, before: Option<&Record>) -> fmt::Result {
    let times = sorted(record.rows.iter().map(|row| row.ns_per_op.width()));
    let ratios =
        sorted(record.rows.iter().filter(|row| row.candidate != Candidate::Dashmap.name()).filter_map(|row| {
            let dashmap = record.row(row.workload.parse().ok()?, Candidate::Dashmap, row.flows, row.threads)?;
            Some(dashmap.by(row)?.width())
        }));
    writeln!(
        text,
        "| from the lowest to the highest round, by the median | half of the results | nine of ten |\n\
         |---|---:|---:|\n\
         | ns per operation | {} | {} |\n| ratio to `dashmap` | {} | {} |\n\n\
         The median is steadier than single rounds. Differences between results that lie within each other's \
         rounds mean nothing.",
        percent(share(&times, 0.5)),
        percent(share(&times, 0.9)),
        percent(share(&ratios, 0.5)),
        percent(share(&ratios, 0.9)),
    )?;
    before.map_or(Ok(()), |before| two_runs(text, &Comparison::of(before, record, TOLERANCE)))
}

fn two_runs(text: &mut String, comparison: &Comparison<'_>) -> fmt::Result {
    let changes = &comparison.changes;
    let apart: Vec<&Change<'_>> = changes.iter().filter(|change| change.time != Verdict::Same).collect();
    writeln!(
        text,
        "\n### Two runs, one after the other\n\n\
         They have {} results in common, and {} of them agree: the medians differ by at most {}, or one lies \
         within the range of the other run's rounds. As in `bench compare`, what peers and floors of the same \
         setting took longer is divided out; over all settings the second run took {:.2} times as long as the \
         first.\n\n\
         | medians differ by | half of the results | nine of ten |\n|---|---:|---:|",
        changes.len(),
        changes.len() - apart.len(),
        percent(TOLERANCE),
        comparison.drift,
    )?;
    for (who, backends) in [("backends", true), ("peers and floors", false)] {
        let chosen = changes.iter().filter(|change| {
            let role = change.after.candidate.parse().map(Candidate::role);
            (role == Ok(Role::Backend)) == backends
        });
        let differences = sorted(chosen.map(|change| change.ratio.max(1.0 / change.ratio) - 1.0));
        let (half, most) = (percent(share(&differences, 0.5)), percent(share(&differences, 0.9)));
        writeln!(text, "| {who} | {half} | {most} |")?;
    }
    if apart.is_empty() {
        return Ok(());
    }
    text.push_str(
        "\nThese do not agree:\n\n| workload | flows | threads | candidate | first, ns | second, ns | ratio |\n\
         |---|---:|---:|---|---:|---:|---:|\n",
    );
    for Change { before, after, ratio, .. } in apart {
        let (first, second) = (before.ns_per_op.median, after.ns_per_op.median);
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {first:.1} | {second:.1} | {ratio:.2} |",
            after.workload,
            size::flows(after.flows),
            after.threads,
            after.candidate
        )?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value that `share` of the values do not exceed; zero if there are none.
fn share(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
