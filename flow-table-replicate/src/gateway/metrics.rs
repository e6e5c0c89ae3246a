use std::time::Duration;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use super::Status;
use crate::Counters;

type Measure = fn(&Status) -> f64;

const GAUGES: [(&str, Unit, &str, Measure); 7] = [
    ("flow_table_replicate_silent", Unit::Count, "1 if the replication is silent", |now| {
        f64::from(now.is_silent())
    }),
    ("flow_table_replicate_owned_shards", Unit::Count, "Shards owned", |now| now.owned.len() as f64),
    (
        "flow_table_replicate_unconfirmed_shards",
        Unit::Count,
        "Shards owned that the registry does not know",
        |now| now.unconfirmed.len() as f64,
    ),
    ("flow_table_replicate_behind_batches", Unit::Count, "Batches that were not applied yet", |now| {
        now.behind as f64
    }),
    ("flow_table_replicate_unacknowledged_seconds", Unit::Seconds, "Nothing was stored for so long", |now| {
        now.unacknowledged.as_secs_f64()
    }),
    ("flow_table_replicate_unheard_seconds", Unit::Seconds, "Nothing was received for so long", |now| {
        now.unheard.as_secs_f64()
    }),
    ("flow_table_replicate_sweep_age_seconds", Unit::Seconds, "Time since a sweep was complete", |now| {
        now.sweep_age.map_or(f64::INFINITY, |age: Duration| age.as_secs_f64())
    }),
];

/// The metrics of one gateway, by the crate `metrics`: `flow_table_replicate_NAME_total` for each of the
/// [`Counters`], and gauges for the rest of its [`Status`], each with the label `table`.
/// `flow_table_replicate_silent` is for an alarm.
///
/// Pass the status to [`set`](Self::set) every few seconds.
pub struct Instruments {
    counters: Vec<Counter>,
    gauges: Vec<(Gauge, Measure)>,
}

impl Instruments {
    /// Registers the metrics with the recorder of the process: install that first.
    pub fn register(table: &str) -> Self {
        let label = || table.to_owned();
        let none = Counters::default();
        let counters = none.each().map(|(name, what, _)| {
            let name = format!("flow_table_replicate_{name}_total");
            describe_counter!(name.clone(), Unit::Count, what.trim());
            counter!(name, "table" => label())
        });
        let gauges = GAUGES.map(|(name, unit, what, value)| {
            describe_gauge!(name, unit, what);
            (gauge!(name, "table" => label()), value)
        });
        Self { counters: counters.collect(), gauges: gauges.into() }
    }

    /// Sets the metrics.
    pub fn set(&self, now: &Status) {
        for (counter, (_, _, value)) in self.counters.iter().zip(now.counters.each()) {
            counter.absolute(value);
        }
        for (gauge, value) in &self.gauges {
            gauge.set(value(now));
        }
    }
}
