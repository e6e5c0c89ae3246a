//! A gateway that is connected to NATS.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use flow_table_api::{Clock as _, FinalRecord, FlowKey, MonotonicClock, NewFlow, Table, TableConfig};
use flow_table_replicate::cluster::NodeId;
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::transport::Source;
use flow_table_replicate::transport::nats::NatsTransport;
use flow_table_replicate::{ClusterKey, Gateway, GatewayConfig, ReplicatedTable, Settings, Tracked};

pub type Inner = flow_table_custom::FlowTable<FlowKey, Tracked<u64>>;
pub type Flows = ReplicatedTable<u64, Inner>;

pub const PATIENCE: Duration = Duration::from_secs(60);

#[allow(dead_code, reason = "not every test needs all of it")]
pub struct Node {
    pub gateway: Gateway<FlowKey, u64, Inner, (FlowKeys, Postcard)>,
    pub clock: MonotonicClock,
}

#[allow(dead_code, reason = "not every test needs all of it")]
impl Node {
    pub fn start(transport: &NatsTransport, node: u64, sweep: Duration) -> Self {
        Self::start_with(transport, node, sweep, Box::new(transport.source()))
    }

    /// A gateway that reads from this source.
    pub fn start_with(transport: &NatsTransport, node: u64, sweep: Duration, source: Box<dyn Source>) -> Self {
        let settings = Settings::new(ClusterKey::new([5; 16])).standby().sweep_interval(sweep);
        let table = Flows::with_settings(TableConfig::new(2_000_000), settings, (FlowKeys, Postcard));
        Self::start_table(transport, node, table, source)
    }

    /// A gateway that exports the ends of its flows.
    pub fn start_exporting(
        transport: &NatsTransport,
        node: u64,
        sweep: Duration,
        export: impl Fn(FinalRecord<FlowKey, u64>) + Send + Sync + 'static,
    ) -> Self {
        let settings = Settings::new(ClusterKey::new([5; 16])).standby().sweep_interval(sweep);
        let (config, codec) = (TableConfig::new(2_000_000), (FlowKeys, Postcard));
        let table = Flows::with_settings_and_exports(config, settings, codec, export);
        Self::start_table(transport, node, table, Box::new(transport.source()))
    }

    fn start_table(transport: &NatsTransport, node: u64, table: Flows, source: Box<dyn Source>) -> Self {
        let table = Arc::new(table);
        let clock = MonotonicClock::new();
        let config = GatewayConfig {
            node: NodeId(node),
            clock,
            sink: Box::new(transport.sink(NodeId(node))),
            source,
            registry: Box::new(transport.registry()),
        };
        Self { gateway: Gateway::start(table, config).unwrap(), clock }
    }

    pub fn insert(&self, id: u32) {
        let flow = NewFlow::new(key(id), value(id)).timeout(Duration::from_secs(300));
        let inserted = self.gateway.table().insert(flow, self.clock.now()).expect("there is room");
        assert!(inserted.replaced.is_none());
    }

    pub fn len(&self) -> usize {
        self.gateway.table().len()
    }
}

pub fn key(id: u32) -> FlowKey {
    let [_, a, b, c] = id.to_be_bytes();
    FlowKey::v4(
        std::net::SocketAddrV4::new([10, a, b, c].into(), 1_000),
        std::net::SocketAddrV4::new([192, 0, 2, 1].into(), 53),
        17,
    )
}

/// What a flow's value must be.
pub fn value(id: u32) -> u64 {
    u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Waits until `condition` holds, and returns how long that took.
#[allow(dead_code, reason = "not every test needs it")]
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "in vain for {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}
