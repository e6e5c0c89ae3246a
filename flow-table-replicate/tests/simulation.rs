//! Gateways over a transport that loses, repeats, delays, reorders and spoils what it carries, with clocks that
//! are an hour apart. Once it behaves, and sweeps have passed, every table is its owner's.
//!
//! Each run is its seed's: `FLOW_TABLE_SEED=7` runs one again. `FLOW_TABLE_SEEDS` is the number of runs, 1,000 by
//! default; the long form is 100,000.

#[path = "sim/net.rs"]
mod net;
#[path = "sim/node.rs"]
mod node;

use std::env;
use std::time::Duration;

use flow_table_api::{FlowKey, Table, Timestamp};
use flow_table_replicate::{ClusterKey, Epoch, Settings, ShardId, ShardSet, Tracked};

use net::Net;
use node::{Node, Value, View};

const HOUR: Duration = Duration::from_secs(3_600);
const INTERVAL: Duration = Duration::from_secs(2);

type Custom = flow_table_custom::FlowTable<FlowKey, Tracked<Value>>;
type DashMap = flow_table_dashmap::FlowTable<FlowKey, Tracked<Value>>;

fn seeds(share: u64) -> Vec<u64> {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    match number("FLOW_TABLE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("FLOW_TABLE_SEEDS").unwrap_or(1_000) / share).collect(),
    }
}

fn settings(dice: &mut fastrand::Rng) -> Settings {
    Settings::new(ClusterKey::new([3; 16]))
        .buffer_records(dice.u16(1..8))
        .ring_buffers(dice.usize(1..10))
        .window(dice.usize(1..6))
        .tombstones(dice.usize(10..1_000))
        .acknowledgement(Duration::from_millis(50))
        .give_up(Duration::from_millis(dice.u64(50..500)))
        .sweep_interval(INTERVAL)
}

/// One run.
struct World<T: Table<FlowKey, Tracked<Value>> + 'static> {
    seed: u64,
    dice: fastrand::Rng,
    net: Net,
    now: Timestamp,
    nodes: Vec<Node<T>>,
}

impl<T: Table<FlowKey, Tracked<Value>> + 'static> World<T> {
    fn new(seed: u64, standbys: usize) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let net = Net::new(seed);
        let settings = settings(&mut dice);
        let mut nodes = vec![Node::new(&net, settings.clone(), HOUR)];
        nodes.extend((0..standbys).map(|_| Node::new(&net, settings.clone().standby(), Duration::ZERO)));
        Self { seed, dice, net, now: Timestamp::from_secs(10), nodes }
    }

    /// Packets come to `owners`, everybody publishes and follows, and time passes.
    fn run(&mut self, steps: u32, owners: &[usize]) {
        for _ in 0..steps {
            let owner = owners[self.dice.usize(0..owners.len())];
            self.nodes[owner].act(&mut self.dice, self.now);
            if self.dice.u8(0..3) == 0 {
                self.net.step();
            }
            let any = self.dice.usize(0..self.nodes.len());
            let batches = self.dice.usize(1..20);
            self.nodes[any].publish(self.now);
            self.nodes[any].follow(self.now, batches);
            if self.dice.u8(0..20) == 0 {
                let patience = self.dice.u32(1..50);
                self.nodes[any].sweep(self.now, false, patience);
            }
            self.now += Duration::from_millis(self.dice.u64(0..30));
        }
    }

    /// Everything arrives from now on. Publishes, sweeps and follows until nothing is on its way.
    fn quiesce(&mut self) {
        self.net.heal();
        self.settle();
        // What was lost before is repeated by the first sweep or by the second one. Two more see tombstones off.
        for _ in 0..4 {
            for node in 0..self.nodes.len() {
                assert!(self.nodes[node].sweep(self.now, true, u32::MAX), "seed {}: a sweep stops", self.seed);
            }
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.nodes.iter().for_each(|node| node.reap(self.now));
        for _ in 0..10_000 {
            let now = self.now;
            let flush = |node: &mut Node<T>| node.flush(now);
            let busy = self.nodes.iter_mut().map(flush).filter(|busy| *busy).count();
            let read: usize = self.nodes.iter_mut().map(|node| node.follow(now, usize::MAX)).sum();
            if busy + read == 0 {
                return;
            }
            self.now = now + Duration::from_millis(1);
        }
        panic!("seed {}: it does not settle", self.seed);
    }

    /// Every table is that of `owner`.
    fn compare(&mut self, owner: usize) {
        let seed = self.seed;
        let now = self.now;
        let views: Vec<View> = self.nodes.iter_mut().map(|node| node.view(now)).collect();
        for (node, view) in views.iter().enumerate().filter(|(node, _)| *node != owner) {
            for (key, (seen, left)) in &views[owner] {
                let Some((copy, copy_left)) = view.get(key) else {
                    panic!("seed {seed}: node {node} lacks {key}, {seen:?}, {left:?} left");
                };
                assert_eq!(copy, seen, "seed {seed}: node {node}, {key}");
                let most = *left + seen.timeout / 2 + 3 * INTERVAL;
                assert!(copy_left >= left && *copy_left <= most, "seed {seed}: {key}: {copy_left:?} for {left:?}");
            }
            let more = view.keys().find(|key| !views[owner].contains_key(key));
            assert_eq!(more, None, "seed {seed}: node {node} has more than the owner");
        }
    }
}

fn follows<T: Table<FlowKey, Tracked<Value>> + 'static>(seed: u64) {
    let mut world = World::<T>::new(seed, 1);
    let steps = world.dice.u32(50..600);
    world.run(steps, &[0]);
    world.quiesce();
    world.compare(0);
}

#[test]
fn a_standby_becomes_its_owner_custom() {
    seeds(1).into_iter().for_each(follows::<Custom>);
}

#[test]
fn a_standby_becomes_its_owner_dashmap() {
    seeds(4).into_iter().for_each(follows::<DashMap>);
}

/// The owner starts again, with nothing, in a later epoch.
#[test]
fn an_owner_that_starts_again_is_followed() {
    for seed in seeds(2) {
        let mut world = World::<Custom>::new(seed, 2);
        let steps = world.dice.u32(50..300);
        world.run(steps, &[0]);
        let again = settings(&mut world.dice).epoch(Epoch::new(2));
        world.nodes[0] = Node::new(&world.net, again, HOUR);
        world.run(steps, &[0]);
        world.quiesce();
        world.compare(0);
    }
}

/// A standby takes over while the owner goes on: one of them remains.
#[test]
fn of_two_owners_one_remains() {
    let mut stale = 0;
    for seed in seeds(2) {
        let mut world = World::<Custom>::new(seed, 2);
        let steps = world.dice.u32(50..300);
        world.run(steps, &[0]);
        let epochs: Vec<_> = ShardId::all().map(|shard| (shard, Epoch::new(2))).collect();
        let claim = world.nodes[1].table.feed().claim(&epochs).expect("the first claim");
        for _ in 0..world.dice.u32(1..100) {
            world.run(1, &[0]);
            if world.nodes[1].table.feed().has_seen_claim(claim) {
                break;
            }
        }
        // Or time has run out.
        assert_eq!(world.nodes[1].table.feed().own(&epochs), ShardSet::ALL, "seed {seed}");
        world.run(steps, &[0, 1]);
        world.quiesce();
        world.compare(1);
        let former = world.nodes[0].table.feed().ownership();
        assert_eq!((former.owned(), former.take_deposed()), (ShardSet::EMPTY, ShardSet::ALL), "seed {seed}");
        stale += world.nodes.iter().map(|node| node.table.feed().counters().stale).sum::<u64>();
    }
    assert!(stale > 0, "no record of an old epoch came at all");
}
