//! Compares two records by ratio: what has changed, and is it more than noise?

use std::io::{self, Write};

use anyhow::{Result, ensure};
use flow_table_benches::{Candidate, Role};

use super::args::CompareArgs;
use super::record::Record;
use super::row::{Row, Spread};

/// Bytes do not depend on the load of the machine.
const BYTES_TOLERANCE: f64 = 0.03;

/// If a setting has at least this many results of peers and floors, they show the effect of the machine on the
/// others of the setting. If there are fewer, those of all settings are used.
const FEWEST_CONTROLS: usize = 3;

/// How one result has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the noise.
    Same,
    Better,
    Worse,
}

/// One result in both records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'r> {
    pub(crate) before: &'r Row,
    pub(crate) after: &'r Row,
    /// The time now by the time before, with the effect of the machine divided out.
    pub(crate) ratio: f64,
    pub(crate) time: Verdict,
    pub(crate) bytes: Verdict,
}

/// Two records, result by result.
pub(crate) struct Comparison<'r> {
    pub(crate) changes: Vec<Change<'r>>,
    /// The time now by the time before of everything that did not change.
    pub(crate) drift: f64,
}

impl<'r> Comparison<'r> {
    pub(crate) fn of(before: &'r Record, after: &'r Record, tolerance: f64) -> Self {
        let pairs: Vec<(&Row, &Row)> = after
            .rows
            .iter()
            .filter_map(|row| Some((before.rows.iter().find(|old| old.is_of_same(row))?, row)))
            .collect();
        let drift = drift_of(pairs.iter(), 1).unwrap_or(1.0);
        let change = |&(before, after): &(&'r Row, &'r Row)| {
            let same_setting = pairs.iter().filter(|(_, row)| row.is_of_setting(after));
            let drift = drift_of(same_setting, FEWEST_CONTROLS).unwrap_or(drift);
            Change {
                before,
                after,
                ratio: after.ns_per_op.median / before.ns_per_op.median / drift,
                time: time_verdict(before.ns_per_op, after.ns_per_op, drift, tolerance),
                bytes: bytes_verdict(before.bytes_per_flow, after.bytes_per_flow),
            }
        };
        Self { changes: pairs.iter().map(change).collect(), drift }
    }
}

/// The median ratio of what does not change from one version to the next, if there are at least `fewest` of that.
fn drift_of<'a, 'r: 'a>(pairs: impl Iterator<Item = &'a (&'r Row, &'r Row)>, fewest: usize) -> Option<f64> {
    let controls = pairs.filter(|(_, row)| role(row) != Some(Role::Backend));
    let ratios: Vec<f64> = controls.map(|(old, new)| new.ns_per_op.median / old.ns_per_op.median).collect();
    (ratios.len() >= fewest).then(|| Spread::of(ratios).median)
}

fn role(row: &Row) -> Option<Role> {
    row.candidate.parse().ok().map(Candidate::role)
}

/// A change is real if it exceeds the tolerance and each median is outside the range of the other run's rounds.
fn time_verdict(before: Spread, after: Spread, drift: f64, tolerance: f64) -> Verdict {
    let after = Spread { min: after.min / drift, median: after.median / drift, max: after.max / drift };
    if after.median > before.median * (1.0 + tolerance) && after.median > before.max && after.min > before.median {
        Verdict::Worse
    } else if before.median > after.median * (1.0 + tolerance)
        && before.median > after.max
        && before.min > after.median
    {
        Verdict::Better
    } else {
        Verdict::Same
    }
}

fn bytes_verdict(before: Option<f64>, after: Option<f64>) -> Verdict {
    match before.zip(after) {
        Some((before, after)) if after > before * (1.0 + BYTES_TOLERANCE) => Verdict::Worse,
        Some((before, after)) if before > after * (1.0 + BYTES_TOLERANCE) => Verdict::Better,
        _ => Verdict::Same,
    }
}

/// Shows what is more than noise. Returns whether no backend has become worse.
pub(crate) fn run(args: &CompareArgs, out: &mut impl Write) -> Result<bool> {
    let (before, after) = (Record::load(&args.before)?, Record::load(&args.after)?);
    let comparison = Comparison::of(&before, &after, f64::from(args.tolerance) / 100.0);
    ensure!(!comparison.changes.is_empty(), "the records have no result in common");
    write(out, &comparison)?;
    let worse = |change: &Change<'_>| change.time == Verdict::Worse || change.bytes == Verdict::Worse;
    Ok(!comparison.changes.iter().any(|change| role(change.after) == Some(Role::Backend) && worse(change)))
}

fn write(out: &mut impl Write, comparison: &Comparison<'_>) -> io::Result<()> {
    let (changes, drift) = (&comparison.changes, comparison.drift);
    writeln!(
        out,
        "{} results in both records; peers and floors take {drift:.2} times as long as before.",
        changes.len()
    )?;
    let mut shown = 0;
    for change in changes {
        let Change { before, after, ratio, time, bytes } = change;
        let place = format!(
            "{:<17} {:>9} flows {:>2} threads  {:<16}",
            after.workload, after.flows, after.threads, after.candidate
        );
        if *time != Verdict::Same {
            let (word, old, new) =
                (word(*time, "faster", "SLOWER"), before.ns_per_op.median, after.ns_per_op.median);
            writeln!(out, "{place} {word}: {old:.1} → {new:.1} ns, ratio {ratio:.2}")?;
            shown += 1;
        }
        if let (true, Some((old, new))) =
            (*bytes != Verdict::Same, before.bytes_per_flow.zip(after.bytes_per_flow))
        {
            let word = word(*bytes, "smaller", "LARGER");
            writeln!(out, "{place} {word}: {old:.1} → {new:.1} bytes per flow")?;
            shown += 1;
        }
    }
    if shown == 0 {
        writeln!(out, "All of them agree within the noise.")?;
    }
    Ok(())
}

fn word(verdict: Verdict, better: &'static str, worse: &'static str) -> &'static str {
    if verdict == Verdict::Better { better } else { worse }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::{record, row};
    use flow_table_benches::Workload::{Churn, Iterate};

    fn verdicts(custom: f64, peer: f64) -> Vec<Verdict> {
        let both = |custom, peer| {
            record(vec![row(Churn, Candidate::Custom, 8, 1, custom), row(Churn, Candidate::Scc, 8, 1, peer)])
        };
        let (before, after) = (both(100.0, 100.0), both(custom, peer));
        Comparison::of(&before, &after, 0.1).changes.iter().map(|change| change.time).collect()
    }

    #[test]
    fn only_more_than_noise_counts() {
        assert_eq!(verdicts(105.0, 100.0), [Verdict::Same, Verdict::Same]);
        assert_eq!(verdicts(115.0, 100.0), [Verdict::Worse, Verdict::Same]);
        assert_eq!(verdicts(80.0, 100.0), [Verdict::Better, Verdict::Same]);
    }

    #[test]
    fn a_slower_machine_makes_nothing_slower() {
        assert_eq!(verdicts(150.0, 150.0), [Verdict::Same, Verdict::Same]);
        assert_eq!(verdicts(100.0, 50.0), [Verdict::Worse, Verdict::Same]);
    }

    #[test]
    fn a_slow_minute_makes_nothing_slower() {
        let during = |others: f64, times: [f64; 4]| {
            let candidates = [Candidate::Custom, Candidate::Scc, Candidate::Papaya, Candidate::QuickCache];
            let rows = candidates.into_iter().zip(times).map(|(candidate, ns)| row(Churn, candidate, 8, 1, ns));
            let elsewhere = (1..10).map(|threads| row(Iterate, Candidate::Scc, 8, threads, others));
            record(rows.chain(elsewhere).collect())
        };
        let (before, after) = (during(100.0, [100.0; 4]), during(100.0, [150.0; 4]));
        let comparison = Comparison::of(&before, &after, 0.1);
        assert!(comparison.changes.iter().all(|change| change.time == Verdict::Same));
        assert!((comparison.drift - 1.0).abs() < 0.01);
    }

    #[test]
    fn wide_rounds_hide_small_changes() {
        let wide = |median: f64| Spread { min: median * 0.5, median, max: median * 1.5 };
        assert_eq!(time_verdict(wide(100.0), wide(120.0), 1.0, 0.1), Verdict::Same);
        assert_eq!(time_verdict(wide(100.0), wide(400.0), 1.0, 0.1), Verdict::Worse);
    }

    #[test]
    fn bytes_count() {
        assert_eq!(bytes_verdict(Some(100.0), Some(102.0)), Verdict::Same);
        assert_eq!(bytes_verdict(Some(100.0), Some(110.0)), Verdict::Worse);
        assert_eq!(bytes_verdict(Some(100.0), Some(90.0)), Verdict::Better);
        assert_eq!(bytes_verdict(None, Some(90.0)), Verdict::Same);
    }
}
