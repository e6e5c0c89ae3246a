//! Gateways with their threads, over a log in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flow_table_api::{Clock, FinalRecord, FlowKey, MonotonicClock, NewFlow, Table, TableConfig};
use flow_table_replicate::cluster::{MemoryRegistry, NodeId, Registry, ShardMap, Unreachable};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::transport::MemoryTransport;
use flow_table_replicate::{
    ClusterKey, Epoch, Gateway, GatewayConfig, ReplicatedTable, Settings, ShardId, ShardSet, Tracked,
};

type Flows = ReplicatedTable<u64, flow_table_custom::FlowTable<FlowKey, Tracked<u64>>>;
type Node = Gateway<FlowKey, u64, flow_table_custom::FlowTable<FlowKey, Tracked<u64>>, (FlowKeys, Postcard)>;

const PATIENCE: Duration = Duration::from_secs(60);

struct Cluster {
    log: MemoryTransport,
    registry: Switched,
    clock: MonotonicClock,
}

/// A registry that can be cut off.
#[derive(Clone, Default)]
struct Switched {
    registry: MemoryRegistry,
    down: Arc<AtomicBool>,
}

impl Switched {
    fn up(&mut self) -> Result<&mut MemoryRegistry, Unreachable> {
        // Relaxed: a switch.
        if self.down.load(Ordering::Relaxed) { Err(Unreachable("cut off".into())) } else { Ok(&mut self.registry) }
    }
}

impl Registry for Switched {
    fn read(&mut self, limit: Duration) -> Result<(u64, ShardMap), Unreachable> {
        self.up()?.read(limit)
    }

    fn replace(&mut self, version: u64, map: &ShardMap, limit: Duration) -> Result<bool, Unreachable> {
        self.up()?.replace(version, map, limit)
    }
}

impl Cluster {
    fn new() -> Self {
        let (log, clock) = (MemoryTransport::new(256 << 20), MonotonicClock::new());
        Self { log, registry: Switched::default(), clock }
    }

    fn start(&self, node: u64) -> Node {
        self.start_exporting(node, |_| ())
    }

    fn start_exporting(
        &self,
        node: u64,
        export: impl Fn(FinalRecord<FlowKey, u64>) + Send + Sync + 'static,
    ) -> Node {
        let settings =
            Settings::new(ClusterKey::new([5; 16])).standby().sweep_interval(Duration::from_millis(500));
        let (config, codec) = (TableConfig::new(200_000), (FlowKeys, Postcard));
        let table = Arc::new(Flows::with_settings_and_exports(config, settings, codec, export));
        let config = GatewayConfig {
            node: NodeId(node),
            clock: self.clock,
            sink: Box::new(self.log.sink()),
            source: Box::new(self.log.source()),
            registry: Box::new(self.registry.clone()),
        };
        Gateway::start(table, config).unwrap()
    }

    fn insert(&self, gateway: &Node, range: std::ops::Range<u32>) {
        for id in range {
            let flow = NewFlow::new(key(id), id.into());
            let inserted = gateway.table().insert(flow, self.clock.now()).unwrap();
            assert!(inserted.replaced.is_none());
        }
    }
}

fn key(id: u32) -> FlowKey {
    let [_, a, b, c] = id.to_be_bytes();
    format!("udp 10.{a}.{b}.{c}:1000 > 192.0.2.1:53").parse().unwrap()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_standby_takes_over_what_its_owner_had_and_the_owner_steps_down() {
    let cluster = Cluster::new();
    let (owner, standby) = (cluster.start(1), cluster.start(2));
    assert_eq!(owner.promote(ShardSet::ALL, PATIENCE).shards, ShardSet::ALL);
    cluster.insert(&owner, 0..10_000);
    (0..1_000).for_each(|id| drop(owner.table().remove(&key(id))));
    wait_for("the flows at the standby", || standby.table().len() == 9_000);

    let promotion = standby.promote(ShardSet::ALL, PATIENCE);
    assert_eq!((promotion.shards, promotion.flows), (ShardSet::ALL, 9_000));
    assert!(promotion.confirmed && promotion.drained && promotion.conflicting == 0);
    wait_for("the owner to step down", || owner.status().owned.is_empty());
    assert_eq!(owner.table().feed().ownership().take_deposed(), ShardSet::ALL);

    // What the former owner does now stays with it, and goes when the new one sweeps.
    cluster.insert(&owner, 20_000..20_100);
    cluster.insert(&standby, 30_000..30_100);
    wait_for("the former owner to follow", || owner.table().len() == 9_100);
    assert_eq!(standby.table().len(), 9_100);
    assert!(standby.table().lookup(&key(20_000), cluster.clock.now()).is_none());
}

#[test]
fn without_a_registry_shards_are_taken_from_memory_and_entered_later() {
    let cluster = Cluster::new();
    let (owner, standby) = (cluster.start(1), cluster.start(2));
    owner.promote(ShardSet::ALL, PATIENCE);
    cluster.insert(&owner, 0..100);
    wait_for("the flows at the standby", || standby.table().len() == 100);
    drop(owner);
    cluster.registry.down.store(true, Ordering::Relaxed);
    let promotion = standby.promote(ShardSet::ALL, Duration::from_secs(1));
    assert_eq!((promotion.shards, promotion.confirmed), (ShardSet::ALL, false));
    assert_eq!(standby.status().unconfirmed, ShardSet::ALL);
    cluster.registry.down.store(false, Ordering::Relaxed);
    wait_for("the entry in the registry", || standby.status().unconfirmed.is_empty());
    let map = cluster.registry.registry.clone().read(PATIENCE).unwrap().1;
    assert_eq!(map.owned_by(NodeId(2)), ShardSet::ALL);
    let role = standby.table().feed().ownership().role(ShardId::new(7));
    assert_eq!((role.owned, role.epoch), (true, Epoch::new(2)));
}

#[test]
fn a_standby_that_joins_late_gets_everything_from_two_sweeps() {
    let cluster = Cluster::new();
    let owner = cluster.start(1);
    owner.promote(ShardSet::ALL, PATIENCE);
    cluster.insert(&owner, 0..5_000);
    wait_for("two sweeps", || owner.status().counters.sweeps >= 2);
    let standby = cluster.start(2);
    wait_for("the flows at the standby", || standby.table().len() == 5_000);
    wait_for("a sweep at the standby", || standby.status().sweep_age.is_some());
    assert_eq!(standby.status().counters.corrupt, 0);
}

#[test]
fn each_end_is_exported_once_while_the_owner_changes() {
    let cluster = Cluster::new();
    let (sent, exported) = std::sync::mpsc::channel();
    let start = |node| {
        let sent = sent.clone();
        cluster.start_exporting(node, move |ended| sent.send((node, ended.value)).unwrap())
    };
    let (first, second) = (start(1), start(2));
    first.promote(ShardSet::ALL, PATIENCE);
    cluster.insert(&first, 0..20_000);
    wait_for("the flows at the standby", || second.table().len() == 20_000);
    thread::scope(|scope| {
        // Flows end at the first one all the time, until it has stepped down.
        scope.spawn(|| {
            for id in 0..20_000 {
                drop(first.table().remove(&key(id)));
                if id % 100 == 0 {
                    thread::sleep(Duration::from_micros(500));
                }
            }
        });
        thread::sleep(Duration::from_millis(30));
        assert!(second.promote(ShardSet::ALL, PATIENCE).drained);
    });
    wait_for("the first one to step down", || first.status().owned.is_empty());
    (0..20_000).for_each(|id| drop(second.table().remove(&key(id))));
    let quiet = Duration::from_secs(3);
    let mut ends: Vec<(u64, u64)> = std::iter::from_fn(|| exported.recv_timeout(quiet).ok()).collect();
    let lost = first.status().counters.unexported + second.status().counters.unexported;
    ends.sort_unstable_by_key(|(_, id)| *id);
    let by_both = |node| ends.iter().filter(|(by, _)| *by == node).count();
    assert!(by_both(1) > 0 && by_both(2) > 0, "{} and {}", by_both(1), by_both(2));
    assert!(ends.is_sorted_by(|(_, one), (_, other)| one < other), "an end was exported twice");
    // What the first one withheld may be one that the second one has exported.
    assert!(ends.len() as u64 + lost >= 20_000, "losses are counted: {} and {lost}", ends.len());
}
