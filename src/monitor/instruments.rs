//! Counters and gauges of the crate `metrics`.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use super::observation::Observation;

type Count = fn(&Observation) -> u64;
type Measure = fn(&Observation) -> usize;

/// Name, what it is, and its value.
const COUNTERS: [(&str, &str, Count); 2] = [
    ("flow_table_inserts_total", "Flows that became active", |now| now.stats.inserts),
    ("flow_table_refusals_total", "Insertions refused because the table was full", |now| now.stats.refusals),
];

const ENDED: &str = "flow_table_ended_total";

/// The value of each label `reason`.
const REASONS: [(&str, Count); 5] = [
    ("expired", |now| now.stats.ended.expired),
    ("cancelled", |now| now.stats.ended.cancelled),
    ("removed", |now| now.stats.ended.removed),
    ("replaced", |now| now.stats.ended.replaced),
    ("evicted", |now| now.stats.ended.evicted),
];

const GAUGES: [(&str, Unit, &str, Measure); 6] = [
    ("flow_table_flows", Unit::Count, "Flows that have a place in the table", |now| now.stats.flows),
    ("flow_table_capacity_flows", Unit::Count, "Flows that may have a place in the table", |now| now.capacity),
    ("flow_table_dying_flows", Unit::Count, "Flows that made room and wait for a reap", |now| now.stats.dying),
    ("flow_table_waiting_flows", Unit::Count, "Ended flows that wait for open bursts", |now| now.stats.waiting),
    ("flow_table_shards", Unit::Count, "Parts that are locked independently", |now| now.stats.shards),
    ("flow_table_memory_bytes", Unit::Bytes, "Memory that the table occupies", |now| now.stats.bytes),
];

/// The metrics of one table.
pub(super) struct Instruments {
    counters: Vec<(Counter, Count)>,
    gauges: Vec<(Gauge, Measure)>,
}

impl Instruments {
    /// Registers them with the recorder of the process.
    pub(super) fn register(name: &str) -> Self {
        let table = || name.to_owned();
        let mut counters = Vec::new();
        for (name, what, value) in COUNTERS {
            describe_counter!(name, Unit::Count, what);
            counters.push((counter!(name, "table" => table()), value));
        }
        describe_counter!(ENDED, Unit::Count, "Flows that have ended, by reason");
        for (reason, value) in REASONS {
            counters.push((counter!(ENDED, "table" => table(), "reason" => reason), value));
        }
        let gauges = GAUGES.map(|(name, unit, what, value)| {
            describe_gauge!(name, unit, what);
            (gauge!(name, "table" => table()), value)
        });
        Self { counters, gauges: gauges.into() }
    }

    pub(super) fn set(&self, now: &Observation) {
        for (counter, value) in &self.counters {
            counter.absolute(value(now));
        }
        for (gauge, value) in &self.gauges {
            gauge.set(value(now) as f64);
        }
    }
}
