//! Tests the events of a monitor. The crate `tracing` may lose events of a thread with a subscriber while others
//! without one emit the same, so each test here has one.

#![cfg(all(feature = "tracing", any(feature = "dashmap", feature = "custom")))]

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use flow_table::{FlowTable, Monitor, NewFlow, Table, Timestamp};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Flows = FlowTable<u64, ()>;

/// Keeps the events of this thread, one line for each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    /// The events since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The only event, with all of these in it.
#[track_caller]
fn assert_one(events: &[String], parts: &[&str]) {
    assert!(events.len() == 1 && parts.iter().all(|part| events[0].contains(part)), "{events:?}, not {parts:?}");
}

fn fill(table: &Flows, flows: std::ops::Range<u64>) -> usize {
    flows.filter(|key| table.insert(NewFlow::new(*key, ()), Timestamp::ZERO).is_err()).count()
}

#[test]
fn events_tell_of_refusals_growth_and_shrinking() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let (table, mut monitor) = (Flows::new(100_000), Monitor::new("flows"));
        monitor.observe(&table);
        assert_eq!(log.take(), Vec::<String>::new(), "an empty table is nothing to tell of");

        assert_eq!(fill(&table, 0..100_000), 0);
        monitor.observe(&table);
        assert_one(&log.take(), &["INFO flow_table", "table=\"flows\"", "grown"]);
        monitor.observe(&table);
        assert_eq!(log.take(), Vec::<String>::new(), "once");

        assert_eq!(fill(&table, 100_000..100_003), 3);
        monitor.observe(&table);
        assert_one(&log.take(), &["WARN flow_table", "refused=3", "capacity=100000", "reap it"]);

        table.retain(|_| false);
        table.shrink_to_fit();
        monitor.observe(&table);
        assert_one(&log.take(), &["INFO flow_table", "shrunk"]);
    });
}

#[test]
fn an_event_tells_of_a_burst_that_stays_open() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        let (table, mut monitor) = (Flows::new(10), Monitor::new("flows"));
        // Bursts that come and go are none of these.
        for second in 0..5 {
            let _burst = table.burst(Timestamp::from_secs(second));
            monitor.observe(&table);
        }
        assert_eq!(log.take(), Vec::<String>::new());

        let burst = table.burst(Timestamp::from_secs(7));
        (0..5).for_each(|_| monitor.observe(&table));
        assert_one(&log.take(), &["WARN flow_table", "opened=7.000000000s", "worker"]);
        drop(burst);
        monitor.observe(&table);
        assert_eq!(log.take(), Vec::<String>::new());
    });
}
