//! Tests the metrics of a monitor, and that the dashboard shows them.

#![cfg(all(feature = "metrics", any(feature = "dashmap", feature = "custom")))]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flow_table::{FlowTable, Monitor, NewFlow, Table, Timestamp};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;

type Flows = FlowTable<u64, ()>;

fn fill(table: &Flows, flows: std::ops::Range<u64>) -> usize {
    flows.filter(|key| table.insert(NewFlow::new(*key, ()), Timestamp::ZERO).is_err()).count()
}

/// The metrics in an expression of Prometheus, or in its text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("flow_table_")).map(str::to_owned).collect()
}

/// One test, because the recorder is the process's.
#[test]
fn metrics_are_those_of_the_table_and_of_the_dashboard() {
    let recorder = PrometheusBuilder::new().install_recorder().expect("no other recorder");
    let table = Arc::new(Flows::new(10));
    assert_eq!(fill(&table, 0..12), 2);
    drop(table.remove(&3));
    let thread = Monitor::new("one").spawn(&table, Duration::from_secs(3_600)).unwrap();
    Monitor::new("other").observe(&Flows::new(7));

    // The thread looks at the table once when it starts.
    let start = Instant::now();
    while !recorder.render().contains("flow_table_flows{table=\"one\"} 9") {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", recorder.render());
        std::thread::yield_now();
    }
    drop(thread);
    let text = recorder.render();
    for line in [
        "flow_table_capacity_flows{table=\"one\"} 10",
        "flow_table_capacity_flows{table=\"other\"} 7",
        "flow_table_inserts_total{table=\"one\"} 10",
        "flow_table_refusals_total{table=\"one\"} 2",
        "flow_table_ended_total{table=\"one\",reason=\"removed\"} 1",
        "flow_table_ended_total{table=\"one\",reason=\"expired\"} 0",
        "# HELP flow_table_memory_bytes Memory that the table occupies",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }

    let dashboard = include_str!("../docs/grafana.json");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let shown = targets.flat_map(|target| metrics_in(target["expr"].as_str().expect("an expression"))).collect();
    assert_eq!(metrics_in(&text), shown, "the metrics that there are, and those that the dashboard shows");
}
