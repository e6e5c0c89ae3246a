//! Gateways over real NATS servers, which the tests start and end. Without the program `nats-server` they say so
//! and check nothing. `FLOW_TABLE_OUTAGE` prolongs the time for which an engine is away, in seconds.
#![cfg(feature = "nats")]

#[path = "nats/node.rs"]
mod node;
#[path = "nats/server.rs"]
mod server;

use std::time::Duration;

use flow_table_api::{Flow as _, Table as _};
use flow_table_replicate::ShardSet;
use flow_table_replicate::cluster::{NodeId, Registry as _};

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

fn check(standby: &Node, ids: impl Iterator<Item = u32>) {
    for id in ids {
        let flow = standby.gateway.table().lookup(&key(id), flow_table_api::Timestamp::ZERO);
        assert_eq!(flow.map(|flow| *flow.value()), Some(value(id)), "flow {id}");
    }
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
    check(&standby, 0..20_000);
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
    std::thread::sleep(Duration::from_secs(outage()));
    servers.servers[0].start();
    let healed = wait_for("the flows at the standby", PATIENCE, || standby.len() == 19_500);
    eprintln!("the standby is right {healed:?} after the engine's start");
    check(&standby, 500..20_000);
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
    check(&standby, 0..1_000);
    servers.servers[0].start();
    wait_for("the entry in the registry", PATIENCE, || standby.gateway.status().unconfirmed.is_empty());
    let map = servers.connect().registry().read(PATIENCE).unwrap().1;
    assert_eq!(map.owned_by(NodeId(2)), ShardSet::ALL);
}

#[test]
fn of_three_servers_the_leader_may_fail() {
    let Some(program) = program() else { return };
    let mut servers = Servers::start(program, 3);
    let (owner, standby) = pair(&servers, 1_000);
    for killed in 0..3 {
        servers.servers[killed].kill();
        let (from, to) = (1_000 * (killed as u32 + 1), 1_000 * (killed as u32 + 2));
        (from..to).for_each(|id| owner.insert(id));
        let healed = wait_for("the flows at the standby", PATIENCE, || standby.len() == to as usize);
        eprintln!("the standby is right {healed:?} after server {killed} was killed");
        servers.servers[killed].start();
        // It must be back before the next one goes, or there is no majority.
        std::thread::sleep(Duration::from_secs(5));
    }
    check(&standby, 0..4_000);
}
