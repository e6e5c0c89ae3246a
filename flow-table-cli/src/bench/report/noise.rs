//! How far the numbers can be trusted.

use std::fmt::{self, Write};

use flow_table_benches::{Candidate, Role};

use crate::bench::compare::{Comparison, Verdict};
use crate::bench::record::Record;

/// What the report calls agreement, as the command `compare` does by default.
const TOLERANCE: f64 = 0.1;

pub(super) fn write(text: &mut String, record: &Record, before: Option<&Record>) -> fmt::Result {
    let spreads = sorted(record.rows.iter().map(|row| {
        let ns = row.ns_per_op;
        (ns.max - ns.min) / ns.median
    }));
    writeln!(
        text,
        "From the fastest round to the slowest it is {} of the median in half of the results, and {} in nine of \
         ten. Differences below that mean nothing.",
        percent(share(&spreads, 0.5)),
        percent(share(&spreads, 0.9)),
    )?;
    let Some(before) = before else { return Ok(()) };
    let comparison = Comparison::of(before, record, TOLERANCE);
    let changes = &comparison.changes;
    let agree = changes.iter().filter(|change| change.time == Verdict::Same).count();
    writeln!(
        text,
        "\nTwo runs, one after the other, have {} results in common. {agree} of them agree: the medians differ \
         by at most {}, or one lies within the range of the other run's rounds. The second run as a whole took \
         {:.2} times as long as the first; besides that,",
        changes.len(),
        percent(TOLERANCE),
        comparison.drift,
    )?;
    for (who, backends) in [("the backends", true), ("peers and floors", false)] {
        let chosen = changes.iter().filter(|change| {
            let role = change.after.candidate.parse().map(Candidate::role);
            (role == Ok(Role::Backend)) == backends
        });
        let differences = sorted(chosen.map(|change| change.ratio.max(1.0 / change.ratio) - 1.0));
        let (half, most) = (percent(share(&differences, 0.5)), percent(share(&differences, 0.9)));
        writeln!(
            text,
            "* the medians of {who} differ by {half} in half of the results, and by {most} in nine of ten"
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
