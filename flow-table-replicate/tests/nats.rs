//! Gateways over real NATS servers, which the tests start and end. Without the program `nats-server` they say so
//! and check nothing. `FLOW_TABLE_OUTAGE` prolongs the time for which an engine is away, in seconds.
#![cfg(feature = "nats")]

#[path = "nats/node.rs"]
mod node;
#[path = "nats/server.rs"]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flow_table_api::{Flow as _, Table as _};
use flow_table_replicate::cluster::{NodeId, Registry as _};
use flow_table_replicate::transport::nats::{NatsConfig, NatsSource, NatsTransport};
use flow_table_replicate::transport::{Event, Outcome, Sink as _, Source};
use flow_table_replicate::{Counters, ShardSet};

use node::{Node, PATIENCE, key, value, wait_for};
use server::{Servers, program};

const SWEEP: Duration = Duration::from_secs(2);

/// For how many seconds more the engine is away.
fn outage() -> u64 {
    std::env::var("FLOW_TABLE_OUTAGE").ok().map_or(0, |text| text.parse().expect("a number"))
}

/// An owner and its standby, with `flows` flows.
fn pair(servers: &Servers, flows: u32) -> (Node, Node) {
    let (owner, standby) = (servers.connect(), servers.connect());
    let (owner, standby) = (Node::start(&owner, 1, SWEEP), Node::start(&standby, 2, SWEEP));
    let promotion = owner.gateway.promote(ShardSet::ALL, PATIENCE);
    assert!(promotion.confirmed && promotion.drained, "{promotion:?}");
    (0..flows).for_each(|id| owner.insert(id));
    wait_for("the flows at the standby", PATIENCE, || standby.len() == flows as usize);
    (owner, standby)
}

/// Whether the standby has these flows, as they are, and no others. It may have had as many before.
fn is_right(standby: &Node, ids: impl Iterator<Item = u32>) -> bool {
    let has = |id| {
        let flow = standby.gateway.table().lookup(&key(id), flow_table_api::Timestamp::ZERO);
        flow.is_some_and(|flow| *flow.value() == value(id))
    };
    let mut number = 0;
    ids.inspect(|_| number += 1).all(has) && standby.len() == number
}

#[test]
fn a_standby_takes_over_and_the_registry_knows() {
    let Some(program) = program() else { return };
    let servers = Servers::start(program, 1);
    let (owner, standby) = pair(&servers, 20_000);
    let promotion = standby.gateway.promote(ShardSet::ALL, PATIENCE);
    assert!(promotion.confirmed && promotion.drained, "{promotion:?}");
    assert_eq!((promotion.shards, promotion.flows), (ShardSet::ALL, 20_000));
    wait_for("the owner to step down", PATIENCE, || owner.gateway.status().owned.is_empty());
    let map = servers.connect().registry().read(PATIENCE).unwrap().1;
    assert_eq!(map.owned_by(NodeId(2)), ShardSet::ALL);
    assert!(is_right(&standby, 0..20_000));
}

#[test]
fn an_engine_that_was_away_is_caught_up_with() {
    let Some(program) = program() else { return };
    let mut servers = Servers::start(program, 1);
    let (owner, standby) = pair(&servers, 1_000);
    servers.servers[0].kill();
    (1_000..20_000).for_each(|id| owner.insert(id));
    (0..500).for_each(|id| drop(owner.gateway.table().remove(&key(id))));
    // Longer than the publisher tries.
    wait_for("the publisher to give up", PATIENCE, || owner.gateway.status().counters.given_up > 0);
    assert!(owner.gateway.status().unacknowledged > Duration::from_secs(1), "an alarm");
    thread::sleep(Duration::from_secs(outage()));
    servers.servers[0].start();
    let healed = wait_for("the flows at the standby", PATIENCE, || is_right(&standby, 500..20_000));
    eprintln!("the standby is right {healed:?} after the engine's start");
    assert_eq!(standby.gateway.status().counters.corrupt, 0);
}

#[test]
fn without_the_engine_a_standby_takes_over_from_memory() {
    let Some(program) = program() else { return };
    let mut servers = Servers::start(program, 1);
    let (owner, standby) = pair(&servers, 1_000);
    drop(owner);
    servers.servers[0].kill();
    let promotion = standby.gateway.promote(ShardSet::ALL, Duration::from_millis(80));
    assert_eq!((promotion.shards, promotion.confirmed, promotion.drained), (ShardSet::ALL, false, false));
    assert!(is_right(&standby, 0..1_000));
    servers.servers[0].start();
    wait_for("the entry in the registry", PATIENCE, || standby.gateway.status().unconfirmed.is_empty());
    let map = servers.connect().registry().read(PATIENCE).unwrap().1;
    assert_eq!(map.owned_by(NodeId(2)), ShardSet::ALL);
}

/// More batches than the client holds that were not received yet: 256 asked for, and 64 in the source.
const READ_AHEAD: u64 = 400;

/// A source that does not read while it is stopped.
struct Stoppable {
    source: NatsSource,
    stopped: Arc<AtomicBool>,
    /// It has noticed.
    idle: Arc<AtomicBool>,
}

impl Source for Stoppable {
    fn receive(
        &mut self,
        wait: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        event: &mut dyn FnMut(Event),
    ) -> usize {
        // Relaxed: a switch.
        if self.stopped.load(Ordering::Relaxed) {
            self.idle.store(true, Ordering::Relaxed);
            thread::sleep(wait);
            return 0;
        }
        self.source.receive(wait, limit, deliver, event)
    }

    fn behind(&self) -> u64 {
        self.source.behind()
    }
}

#[test]
fn a_slow_standby_catches_up_and_one_whose_log_was_cut_off_is_resynchronized() {
    let Some(program) = program() else { return };
    let servers = Servers::start(program, 1);
    // The log holds about two sweeps of what is there in the end.
    let config = NatsConfig { max_bytes: 4 << 20, ..servers.config() };
    let transport = servers.connect_with(&config);
    let owner = Node::start(&transport, 1, SWEEP);
    let (stopped, idle) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let source = Stoppable { source: transport.source(), stopped: Arc::clone(&stopped), idle: Arc::clone(&idle) };
    let standby = Node::start_with(&transport, 2, SWEEP, Box::new(source));
    assert!(owner.gateway.promote(ShardSet::ALL, PATIENCE).confirmed);
    let counters = || standby.gateway.status().counters;
    let stop = |stop| {
        idle.store(false, Ordering::Relaxed);
        stopped.store(stop, Ordering::Relaxed);
        // A read that is under way ends.
        wait_for("the standby to stop", PATIENCE, || !stop || idle.load(Ordering::Relaxed));
    };

    // Slow: the log still has everything.
    (0..5_000).for_each(|id| owner.insert(id));
    wait_for("the flows at the standby", PATIENCE, || standby.len() == 5_000);
    stop(true);
    (5_000..10_000).for_each(|id| owner.insert(id));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(standby.len(), 5_000);
    stop(false);
    let healed = wait_for("the flows at the slow standby", PATIENCE, || standby.len() == 10_000);
    eprintln!("the slow standby has caught up after {healed:?}");
    assert_eq!(counters().gaps, 0);

    // Cut off: nobody can read any more that most of these flows have begun, and that they and others have ended.
    // The client reads ahead, so more batches than that are written: each pause ends one.
    stop(true);
    let log = || transport.log().expect("the log is there");
    let written = log().last;
    let pause = |id: u32| {
        if id.is_multiple_of(100) {
            thread::sleep(Duration::from_millis(3));
        }
    };
    (10_000..100_000).for_each(|id| {
        owner.insert(id);
        pause(id);
    });
    (5_000..95_000).for_each(|id| {
        drop(owner.gateway.table().remove(&key(id)));
        pause(id);
    });
    wait_for("the log to be cut off", PATIENCE, || log().first > written + READ_AHEAD);
    stop(false);
    let healed =
        wait_for("the flows at the standby", PATIENCE, || is_right(&standby, (0..5_000).chain(95_000..100_000)));
    let Counters { gaps, unnamed, corrupt, .. } = counters();
    eprintln!(
        "the standby is right {healed:?} after {gaps} batches were cut off; a sweep removed {unnamed} flows"
    );
    assert!(gaps > 0 && corrupt == 0, "{:?}", counters());
}

/// Publishes until the log takes something, and returns how long that took.
fn engine_is_back(transport: &NatsTransport) -> Duration {
    let (start, mut sink, mut outcomes) = (Instant::now(), transport.sink(NodeId(9)), Vec::new());
    for token in 0.. {
        // It is no batch, and standbys count it as corrupt.
        let _ = sink.send(token, b"is anybody there?");
        thread::sleep(Duration::from_millis(50));
        sink.outcomes(&mut outcomes);
        if outcomes.iter().any(|outcome: &Outcome| outcome.stored) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "the log takes nothing for {PATIENCE:?}");
    }
    start.elapsed()
}

#[test]
fn of_three_servers_the_leader_may_fail() {
    let Some(program) = program() else { return };
    let mut servers = Servers::start(program, 3);
    let (owner, standby) = pair(&servers, 1_000);
    for killed in 0..3 {
        let probe = servers.connect();
        servers.servers[killed].kill();
        let back = thread::spawn(move || engine_is_back(&probe));
        let (from, to) = (1_000 * (killed as u32 + 1), 1_000 * (killed as u32 + 2));
        (from..to).for_each(|id| owner.insert(id));
        let healed = wait_for("the flows at the standby", PATIENCE, || is_right(&standby, 0..to));
        let back = back.join().unwrap();
        let after = healed.saturating_sub(back);
        eprintln!(
            "server {killed} was killed: the log took batches after {back:?}, the standby right {after:?} later"
        );
        assert!(after < Duration::from_secs(10), "healed too late");
        servers.servers[killed].start();
        // It must be back before the next one goes, or there is no majority.
        thread::sleep(Duration::from_secs(5));
    }
}
