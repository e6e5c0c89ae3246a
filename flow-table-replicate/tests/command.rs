//! What the command shows of a cluster over a real NATS server. Without the program `nats-server` the tests say
//! so and check nothing.
#![cfg(feature = "command")]

#[path = "nats/node.rs"]
mod node;
#[path = "nats/server.rs"]
mod server;

use std::time::Duration;

use clap::Parser;
use flow_table_api::Table as _;
use flow_table_replicate::ShardSet;
use flow_table_replicate::command::{Arguments, run};

use node::{Node, PATIENCE, key, wait_for};
use server::{Servers, program};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

#[test]
fn operators_see_owners_records_and_what_is_missing() {
    let Some(program) = program() else { return };
    let servers = Servers::start(program, 1);
    let transport = servers.connect();
    let show = |words: &[&str]| {
        let servers = servers.config().servers;
        let words = [&["replicate"], words, &["--nats", &servers, "--cluster", "test"]].concat();
        let mut output = Vec::new();
        let right = run(&Program::try_parse_from(words).unwrap().arguments, &mut output).unwrap();
        (right, String::from_utf8(output).unwrap())
    };
    let (right, text) = show(&["status", "--seconds", "1"]);
    assert!(
        !right && text.contains("nobody owns 256 shards: 0-255") && text.contains("nothing was written"),
        "{text}"
    );

    let owner = Node::start(&transport, 1, Duration::from_millis(500));
    owner.gateway.promote(ShardSet::ALL, PATIENCE);
    (0..100).for_each(|id| owner.insert(id));
    drop(owner.gateway.table().remove(&key(7)));
    wait_for("two sweeps", PATIENCE, || owner.gateway.status().counters.sweeps >= 2);

    let (right, text) = show(&["status", "--seconds", "2"]);
    assert!(right && text.contains("node 1 owns 256 shards in epoch 1: 0-255"), "{text}");
    assert!(text.contains("records/s, sweep "), "{text}");
    let (_, text) = show(&["tail", "--records", "150"]);
    assert!(text.contains("claims 0-255"), "{text}");
    let begin =
        text.lines().find(|line| line.contains("begin") && line.contains("udp 10.0.0.7:1000 > 192.0.2.1:53"));
    assert!(begin.is_some_and(|line| line.contains(" timeout 300s left 300s value ")), "{text}");
    assert!(text.lines().any(|line| line.contains(" end ") && line.contains("10.0.0.7:1000")), "{text}");

    let (right, text) = show(&["verify", "--sweeps", "2"]);
    assert!(right && text.contains("sweep 2: 99 flows named, 0 missing, 0 stale"), "{text}");
}
