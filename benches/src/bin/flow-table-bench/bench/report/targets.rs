//! The project's targets, each with what was measured.

use std::fmt::{self, Write};

use flow_table_benches::Candidate::{self, Custom, Dashmap, Floor, FloorCounted};
use flow_table_benches::Workload;

use crate::bench::record::Record;
use crate::bench::row::{Row, Spread};

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
    measured: Option<Spread>,
}

#[derive(Clone, Copy)]
enum Goal {
    /// At least this many times as fast.
    Times(f64),
    /// At most this many times the floor.
    OfFloor(f64),
    Nanos(f64),
    Bytes(f64),
}

impl Goal {
    fn is_met(self, measured: Spread) -> bool {
        let measured = measured.median;
        match self {
            Self::Times(least) => measured >= least,
            Self::OfFloor(most) | Self::Bytes(most) => measured <= most,
            Self::Nanos(below) => measured < below,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Times(_) | Self::OfFloor(_) => format!("{value:.2}×"),
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
        "`custom` against `dashmap`, one thread unless said. *Measured* is the median over the rounds of what \
         *rounds* gives the range of: the ratio within one round, or the figure itself. Borrowing is compared \
         with the faster of dashmap's two ways, with handles and without; the two were not measured in the same \
         rounds, nor were one thread and two.\n\n\
         | | goal | measured | rounds | met |\n|---|---|---|---|---|\n",
    );
    for Check { what, goal, measured } in checks(record) {
        let Some(measured) = measured else {
            writeln!(text, "| {what} | {goal} | not measured | | – |")?;
            continue;
        };
        let (lowest, highest) = (goal.show(measured.min), goal.show(measured.max));
        let range = if lowest == highest { String::new() } else { format!("{lowest} – {highest}") };
        let met = if goal.is_met(measured) { "yes" } else { "**no**" };
        writeln!(text, "| {what} | {goal} | {} | {range} | {met} |", goal.show(measured.median))?;
    }
    let scaling = |flows| Some((flows, two_by_one(record, Workload::LookupHitBatch, FloorCounted, flows)?.median));
    for (flows, ratio) in [MEDIUM, LARGE].into_iter().filter_map(scaling) {
        writeln!(
            text,
            "\nWhat the machine allows: `floor_counted` is {ratio:.2}× as fast with two threads as with one in \
             `lookup_hit_batch`, {}.",
            size(flows)
        )?;
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
        add(what, Goal::Nanos(100.0), record.row(Workload::ReapIdle, Custom, flows, 1).map(|row| row.ns_per_op));
    }
    for flows in [MEDIUM, LARGE] {
        let bytes = grown(record, Custom, flows, |row| row.bytes_per_flow);
        let what = format!("memory beyond a flow's own key, value and deadline, {}", size(flows));
        add(what, Goal::Bytes(40.0), bytes.map(|bytes| once(bytes - OWN_BYTES)));
    }
    let worst = |candidate| grown(record, candidate, LARGE, |row| row.max_ns.map(|ns| ns as f64));
    let measured = worst(Dashmap).zip(worst(Custom)).map(|(dashmap, custom)| once(dashmap / custom));
    add("worst insertion while growing to 8 M flows".into(), Goal::Times(20.0), measured);
    let p9999 = grown(record, Custom, LARGE, |row| row.p9999.map(|ns| ns as f64));
    add("99.99 % of the insertions while growing to 8 M flows".into(), Goal::Nanos(100_000.0), p9999.map(once));
    for workload in [Workload::LookupHit, Workload::LookupHitBatch, Workload::PacketMix] {
        for flows in [MEDIUM, LARGE] {
            let what = format!("two threads by one, `{workload}`, {}", size(flows));
            add(what, Goal::Times(1.8), two_by_one(record, workload, Custom, flows));
        }
    }
    checks
}

/// How many times as fast custom is in `workload` as dashmap in the fastest of `ways`.
fn speed_up(record: &Record, ways: &[Workload], workload: Workload, flows: usize) -> Option<Spread> {
    let dashmap = ways.iter().filter_map(|way| record.row(*way, Dashmap, flows, 1));
    let fastest = dashmap.min_by(|a, b| a.ns_per_op.median.total_cmp(&b.ns_per_op.median))?;
    fastest.by(record.row(workload, Custom, flows, 1)?)
}

fn of_floor(record: &Record, workload: Workload, floor: Candidate) -> Option<Spread> {
    record.ratio(workload, [Custom, floor], LARGE, 1)
}

/// How many times as fast two threads are as one.
fn two_by_one(record: &Record, workload: Workload, candidate: Candidate, flows: usize) -> Option<Spread> {
    let row = |threads| record.row(workload, candidate, flows, threads);
    row(1)?.by(row(2)?)
}

/// A figure of growing, which is a median over processes already.
fn grown(
    record: &Record,
    candidate: Candidate,
    flows: usize,
    figure: impl FnOnce(&Row) -> Option<f64>,
) -> Option<f64> {
    record.row(Workload::Grow, candidate, flows, 1).and_then(figure)
}

fn once(value: f64) -> Spread {
    Spread::of([value])
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
            row(Workload::LookupHitBatch, FloorCounted, MEDIUM, 1, 30.0),
            row(Workload::LookupHitBatch, FloorCounted, MEDIUM, 2, 20.0),
        ];
        let mut text = String::new();
        write(&mut text, &record(rows)).expect("strings can be written to");
        for line in [
            "| look-up hit + refresh, one by one, 1 M flows | ≥ 3.00× | 4.00× |  | yes |",
            "| two threads by one, `lookup_hit`, 1 M flows | ≥ 1.80× | 1.25× |  | **no** |",
            "| the same, by the floor without counter, 8 M flows | ≤ 1.30× | 1.20× |  | yes |",
            "`floor_counted` is 1.50× as fast with two threads",
            "| churn: insert one, expire one, 8 M flows | ≥ 8.00× | not measured | | – |",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn units_fit_the_goals() {
        assert_eq!(Goal::Nanos(100_000.0).to_string(), "< 100 µs");
        assert_eq!(Goal::Bytes(40.0).to_string(), "≤ 40 bytes");
        assert!(!Goal::Nanos(100.0).is_met(once(100.0)) && Goal::Bytes(40.0).is_met(once(40.0)));
    }
}
