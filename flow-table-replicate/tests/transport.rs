//! What the transport over a real NATS server does when the server is slow, or forgets. Without the program
//! `nats-server` the tests say so and check nothing.
#![cfg(all(feature = "nats", unix))]

#[path = "nats/server.rs"]
mod server;

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use flow_table_replicate::cluster::NodeId;
use flow_table_replicate::transport::nats::{NatsSink, NatsSource};
use flow_table_replicate::transport::{Outcome, Sink as _, Source as _};

use server::{Servers, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// Publishes these numbers, each until it is stored.
fn publish(sink: &mut NatsSink, numbers: std::ops::Range<u64>) {
    let start = Instant::now();
    for number in numbers {
        let stored = Outcome { token: number, stored: true };
        while sink.send(number, &number.to_le_bytes()).is_err() || !wait(sink).contains(&stored) {
            assert!(start.elapsed() < PATIENCE, "{number} is not stored");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The next outcomes; none if there are none for a while.
fn wait(sink: &mut NatsSink) -> Vec<Outcome> {
    let (start, mut outcomes) = (Instant::now(), Vec::new());
    while outcomes.is_empty() && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
        sink.outcomes(&mut outcomes);
    }
    outcomes
}

/// Reads until this number comes, and returns whatever came.
fn read_to(source: &mut NatsSource, last: u64) -> Vec<u64> {
    let (start, mut read) = (Instant::now(), Vec::new());
    while read.last() != Some(&last) {
        assert!(start.elapsed() < PATIENCE, "{last} does not come, only {read:?}");
        let mut deliver = |batch: &[u8]| read.push(u64::from_le_bytes(batch.try_into().expect("a number")));
        source.receive(Duration::from_millis(100), 1, &mut deliver, &mut |_| ());
    }
    read
}

/// A server whose machine lost power has lost what it had not written to its disk yet, though it had acknowledged
/// it and others had read it. What is published then has places in the log that they have read already.
#[test]
fn a_log_that_has_lost_its_end_is_read_again() {
    let Some(program) = program() else { return };
    let mut servers = Servers::start(program, 1);
    let (store, copy) = (servers.folder.join("0"), servers.folder.join("copy"));
    let transport = servers.connect();
    let (mut sink, mut source) = (transport.sink(NodeId(1)), transport.source());
    publish(&mut sink, 0..10);
    assert_eq!(read_to(&mut source, 9), Vec::from_iter(0..10));

    servers.servers[0].kill();
    assert!(Command::new("cp").arg("-r").args([&store, &copy]).status().unwrap().success());
    servers.servers[0].start();
    publish(&mut sink, 10..100);
    assert_eq!(*read_to(&mut source, 99).last().unwrap(), 99);

    servers.servers[0].kill();
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&copy, &store).unwrap();
    servers.servers[0].start();
    publish(&mut sink, 100..110);
    let read = read_to(&mut source, 109);
    assert!((100..110).all(|number| read.contains(&number)), "{read:?}");
}

#[test]
fn an_acknowledgement_that_comes_late_counts() {
    let Some(program) = program() else { return };
    let servers = Servers::start(program, 1);
    let mut sink = servers.connect().sink(NodeId(1));
    publish(&mut sink, 0..1);
    servers.servers[0].signal("STOP");
    sink.send(1, b"while nobody listens").expect("it is connected");
    // Longer than the publisher waits before it repeats a batch.
    thread::sleep(Duration::from_millis(2_500));
    servers.servers[0].signal("CONT");
    assert_eq!(wait(&mut sink), [Outcome { token: 1, stored: true }]);
}
