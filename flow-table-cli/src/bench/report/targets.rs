//! The project's targets, each with what was measured.

use std::fmt::{self, Write};

use flow_table_benches::Candidate::{self, Custom, Dashmap, Floor, FloorCounted};
use flow_table_benches::Workload;

use crate::bench::record::Record;

const SMALL: usize = 1 << 16;
const MEDIUM: usize = 1 << 20;
const LARGE: usize = 1 << 23;
const ALL: [usize; 3] = [SMALL, MEDIUM, LARGE];

/// A flow's own key, value and deadline.
const OWN_BYTES: f64 = 40.0 + 64.0 + 8.0;

/// One number and what it should be.
struct Check {
    what: String,
    goal: Goal,
    measured: Option<f64>,
}

#[derive(Clone, Copy)]
enum Goal {
    /// So many times as fast, at least.
    Times(f64),
    /// So many times the floor, at most.
    OfFloor(f64),
    Nanos(f64),
    Bytes(f64),
}

impl Goal {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::Times(least) => measured >= least,
            Self::OfFloor(most) | Self::Bytes(most) => measured <= most,
            Self::Nanos(below) => measured < below,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Times(_) | Self::OfFloor(_) => format!("{value:.1}×"),
            Self::Nanos(_) if value < 10_000.0 => format!("{value:.0} ns"),
            Self::Nanos(_) => format!("{:.0} µs", value / 1_000.0),
            Self::Bytes(_) => format!("{value:.0} bytes"),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, value) = match *self {
            Self::Times(value) => ("≥", value),
            Self::OfFloor(value) | Self::Bytes(value) => ("≤", value),
            Self::Nanos(value) => ("<", value),
        };
        write!(f, "{sign} {}", self.show(value))
    }
}

pub(super) fn write(text: &mut String, record: &Record) -> fmt::Result {
    text.push_str(
        "`custom` against `dashmap`, one thread unless said. Borrowing is compared with the faster of dashmap's \
         two ways, with handles and without.\n\n\
         | | goal | measured | met |\n|---|---|---|---|\n",
    );
    for Check { what, goal, measured } in checks(record) {
        let (shown, met) = match measured {
            Some(value) => (goal.show(value), if goal.is_met(value) { "yes" } else { "**no**" }),
            None => ("not measured".into(), "–"),
        };
        writeln!(text, "| {what} | {goal} | {shown} | {met} |")?;
    }
    Ok(())
}

fn checks(record: &Record) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |what: String, goal, measured| checks.push(Check { what, goal, measured });
    let faster = |workload, flows| speed_up(record, &[workload], workload, flows);
    for (flows, goal) in [(SMALL, 2.0), (MEDIUM, 3.0), (LARGE, 3.0)] {
        let what = format!("look-up hit + refresh, one by one, {}", size(flows));
        add(what, Goal::Times(goal), faster(Workload::LookupHit, flows));
    }
    for (flows, goal) in [(MEDIUM, 5.0), (LARGE, 6.0)] {
        let what = format!("the same in batches of 32, {}", size(flows));
        add(what, Goal::Times(goal), faster(Workload::LookupHitBatch, flows));
    }
    let of_floor = of_floor(record, Workload::LookupHitBatch, FloorCounted);
    add("the same, by the floor with counter, 8 M flows".into(), Goal::OfFloor(1.5), of_floor);
    for flows in ALL {
        let what = format!("borrowed within bursts, one by one, {}", size(flows));
        let ways = [Workload::BorrowHit, Workload::LookupHit];
        add(what, Goal::Times(4.0), speed_up(record, &ways, Workload::BorrowHit, flows));
    }
    let ways = [Workload::BorrowHitBatch, Workload::LookupHitBatch];
    let measured = speed_up(record, &ways, Workload::BorrowHitBatch, LARGE);
    add("borrowed within bursts, batches of 32, 8 M flows".into(), Goal::Times(8.0), measured);
    let of_floor = self::of_floor(record, Workload::BorrowHitBatch, Floor);
    add("the same, by the floor without counter, 8 M flows".into(), Goal::OfFloor(1.3), of_floor);
    for flows in ALL {
        let what = format!("look-up miss, {}", size(flows));
        add(what, Goal::Times(1.5), faster(Workload::LookupMiss, flows));
    }
    for flows in [MEDIUM, LARGE] {
        let what = format!("churn: insert one, expire one, {}", size(flows));
        add(what, Goal::Times(8.0), faster(Workload::Churn, flows));
    }
    add(
        "reap storm, per flow, 1 M flows due at once".into(),
        Goal::Times(10.0),
        faster(Workload::ReapStorm, MEDIUM),
    );
    for flows in ALL {
        let what = format!("reap with nothing due, {}", size(flows));
        add(what, Goal::Nanos(100.0), record.median(Workload::ReapIdle, Custom, flows, 1));
    }
    for flows in [MEDIUM, LARGE] {
        let bytes = record.row(Workload::Grow, Custom, flows, 1).and_then(|row| row.bytes_per_flow);
        let what = format!("memory beyond a flow's own key, value and deadline, {}", size(flows));
        add(what, Goal::Bytes(40.0), bytes.map(|bytes| bytes - OWN_BYTES));
    }
    let worst = |candidate| record.row(Workload::Grow, candidate, LARGE, 1)?.max_ns.map(|ns| ns as f64);
    let measured = ratio(worst(Dashmap), worst(Custom));
    add("worst insertion while growing to 8 M flows".into(), Goal::Times(20.0), measured);
    let p9999 = record.row(Workload::Grow, Custom, LARGE, 1).and_then(|row| row.p9999);
    add("99.99 % of the insertions while growing".into(), Goal::Nanos(100_000.0), p9999.map(|ns| ns as f64));
    for workload in [Workload::LookupHit, Workload::LookupHitBatch, Workload::PacketMix] {
        for flows in [MEDIUM, LARGE] {
            let one = record.median(workload, Custom, flows, 1);
            let what = format!("two threads by one, `{workload}`, {}", size(flows));
            add(what, Goal::Times(1.8), ratio(one, record.median(workload, Custom, flows, 2)));
        }
    }
    checks
}

/// How many times as fast custom is in `workload` as dashmap in the fastest of `ways`.
fn speed_up(record: &Record, ways: &[Workload], workload: Workload, flows: usize) -> Option<f64> {
    let times = ways.iter().filter_map(|way| record.median(*way, Dashmap, flows, 1));
    ratio(times.min_by(f64::total_cmp), record.median(workload, Custom, flows, 1))
}

fn of_floor(record: &Record, workload: Workload, floor: Candidate) -> Option<f64> {
    ratio(record.median(workload, Custom, LARGE, 1), record.median(workload, floor, LARGE, 1))
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).map(|(a, b)| a / b)
}

fn size(flows: usize) -> &'static str {
    match flows {
        SMALL => "64 k flows",
        MEDIUM => "1 M flows",
        _ => "8 M flows",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::tests::{record, row};

    #[test]
    fn ratios_go_the_right_way() {
        let rows = vec![
            row(Workload::LookupHit, Dashmap, MEDIUM, 1, 400.0),
            row(Workload::LookupHit, Custom, MEDIUM, 1, 100.0),
            row(Workload::LookupHit, Custom, MEDIUM, 2, 80.0),
            row(Workload::BorrowHitBatch, Custom, LARGE, 1, 120.0),
            row(Workload::BorrowHitBatch, Floor, LARGE, 1, 100.0),
        ];
        let mut text = String::new();
        write(&mut text, &record(rows)).expect("strings can be written to");
        for line in [
            "| look-up hit + refresh, one by one, 1 M flows | ≥ 3.0× | 4.0× | yes |",
            "| two threads by one, `lookup_hit`, 1 M flows | ≥ 1.8× | 1.2× | **no** |",
            "| the same, by the floor without counter, 8 M flows | ≤ 1.3× | 1.2× | yes |",
            "| churn: insert one, expire one, 8 M flows | ≥ 8.0× | not measured | – |",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn units_fit_the_goals() {
        assert_eq!(Goal::Nanos(100_000.0).to_string(), "< 100 µs");
        assert_eq!(Goal::Bytes(40.0).to_string(), "≤ 40 bytes");
        assert!(!Goal::Nanos(100.0).is_met(100.0) && Goal::Bytes(40.0).is_met(40.0));
    }
}
