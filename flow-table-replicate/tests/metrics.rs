//! The metrics of a gateway.
#![cfg(feature = "metrics")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use flow_table_api::{FlowKey, MonotonicClock, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::cluster::{MemoryRegistry, NodeId};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::transport::{Busy, MemoryTransport, Outcome, Sink};
use flow_table_replicate::{
    ClusterKey, Gateway, GatewayConfig, Instruments, ReplicatedTable, Settings, ShardSet, Tracked,
};
use metrics_exporter_prometheus::PrometheusBuilder;

type Flows = ReplicatedTable<u64, flow_table_custom::FlowTable<FlowKey, Tracked<u64>>>;

/// A transport that takes everything and stores nothing.
struct Silent;

impl Sink for Silent {
    fn send(&mut self, _: u64, _: &[u8]) -> Result<(), Busy> {
        Ok(())
    }

    fn outcomes(&mut self, _: &mut Vec<Outcome>) {}
}

/// One test, because the recorder is the process's.
#[test]
fn a_gateways_counters_and_its_alarm_are_metrics() {
    let recorder = PrometheusBuilder::new().install_recorder().expect("no other recorder");
    let log = MemoryTransport::new(1 << 20);
    let start = |sink: Box<dyn Sink>| {
        let settings = Settings::new(ClusterKey::new([1; 16]));
        let table = Arc::new(Flows::with_settings(TableConfig::new(10), settings, (FlowKeys, Postcard)));
        let key: FlowKey = "udp 10.0.0.1:1 > 10.0.0.2:2".parse().unwrap();
        assert!(table.insert(NewFlow::new(key, 1), Timestamp::ZERO).unwrap().replaced.is_none());
        let registry = Box::new(MemoryRegistry::default());
        let (clock, source) = (MonotonicClock::new(), Box::new(log.source()));
        Gateway::start(table, GatewayConfig { node: NodeId(1), clock, sink, source, registry }).unwrap()
    };
    let (sound, silent) = (start(Box::new(log.sink())), start(Box::new(Silent)));
    let instruments =
        [("sound", &sound), ("silent", &silent)].map(|(name, gateway)| (Instruments::register(name), gateway));
    let began = Instant::now();
    let shown = || {
        instruments.iter().for_each(|(instruments, gateway)| instruments.set(&gateway.status()));
        let text = recorder.render();
        let lines = [
            "flow_table_replicate_silent{table=\"silent\"} 1",
            "flow_table_replicate_silent{table=\"sound\"} 0",
            "flow_table_replicate_owned_shards{table=\"sound\"} 256",
            "flow_table_replicate_recorded_total{table=\"sound\"} 1",
            "flow_table_replicate_sweep_age_seconds{table=\"sound\"} inf",
            "# HELP flow_table_replicate_given_up_total Batches that were given up.",
        ];
        lines.iter().copied().find(|line| !text.contains(line)).map(|line| format!("{line} is not in {text}"))
    };
    while let Some(missing) = shown() {
        assert!(began.elapsed() < Duration::from_secs(60), "{missing}");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(sound.status().owned, ShardSet::ALL);
}
