//! The packet path makes no system call for a record: `strace` counts those of a thread that inserts, refreshes
//! and removes flows at full speed, over a real server. Without the programs `strace` and `nats-server` the test
//! says so and checks nothing.
#![cfg(all(feature = "nats", target_os = "linux"))]

#[path = "nats/node.rs"]
mod node;
#[path = "nats/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use flow_table_api::{Budget, Flow as _, NewFlow, Table as _, Timestamp};
use flow_table_replicate::ShardSet;
use flow_table_replicate::transport::nats::{NatsConfig, NatsTransport};

use node::{Node, PATIENCE, key, value};
use server::{Servers, program};

const KNOWN: u32 = 10_000;
const FLOWS: u32 = 100_000;

/// A call that nothing else makes here: it shows in the trace where the count begins and ends.
const MARK: &str = "getppid(";

/// The process that is traced.
#[test]
#[ignore = "the other test starts it"]
fn packets() {
    let Ok(servers) = std::env::var("FLOW_TABLE_TEST_SERVERS") else { return };
    let transport = NatsTransport::connect(&NatsConfig::new(servers, "test")).unwrap();
    let node = Node::start(&transport, 1, Duration::from_secs(2));
    assert_eq!(node.gateway.promote(ShardSet::ALL, PATIENCE).shards, ShardSet::ALL);
    let table = node.gateway.table();
    let insert = |id: u32, now| {
        let flow = NewFlow::new(key(id), value(id)).timeout(Duration::from_secs(300));
        drop(table.insert(flow, now).expect("there is room"));
    };
    let packets = |ids: std::ops::Range<u32>| {
        for id in ids {
            let now = Timestamp::from_nanos(u64::from(id) + 1);
            insert(id, now);
            assert!(table.lookup(&key(id - KNOWN / 2), now).expect("it is known").refresh(now));
            drop(table.remove(&key(id - KNOWN)).expect("it is known"));
            if id % 64 == 0 {
                table.reap_local(now, Budget::flows(64));
            }
        }
    };
    (0..KNOWN).for_each(|id| insert(id, Timestamp::ZERO));
    // The table and the buffers grow to their sizes.
    packets(KNOWN..KNOWN + FLOWS);
    let before = node.gateway.status().counters;
    let _ = std::os::unix::process::parent_id();
    packets(KNOWN + FLOWS..KNOWN + 2 * FLOWS);
    let _ = std::os::unix::process::parent_id();
    let after = node.gateway.status().counters;
    println!(
        "{} records were recorded meanwhile, and {} dropped",
        after.recorded - before.recorded,
        after.dropped - before.dropped
    );
}

#[test]
fn the_packet_path_makes_no_system_calls() {
    let Some(program) = program() else { return };
    let servers = Servers::start(program, 1);
    drop(servers.connect());
    let traces = servers.folder.join("trace");
    let traced = Command::new("strace")
        .args(["-ff", "-qq", "-o"])
        .arg(&traces)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "packets", "--ignored", "--nocapture"])
        .env("FLOW_TABLE_TEST_SERVERS", servers.config().servers)
        .stderr(Stdio::inherit())
        .status();
    let traces = fs::read_dir(&servers.folder).unwrap().flatten();
    let traces = traces.filter(|file| file.file_name().to_string_lossy().starts_with("trace."));
    let traces: Vec<String> = traces.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
    if traces.is_empty() {
        eprintln!("SKIPPED: strace traces nothing here ({traced:?}); install it (Debian: strace)");
        return;
    }
    assert!(traced.is_ok_and(|status| status.success()), "the process that was traced has failed");
    let packets = traces.iter().find(|trace| trace.contains(MARK)).expect("a thread made the marks");
    let between: Vec<_> = packets.lines().skip_while(|line| !line.starts_with(MARK)).skip(1).collect();
    let between = between.iter().take_while(|line| !line.starts_with(MARK));
    let mut calls = BTreeMap::new();
    for line in between {
        *calls.entry(line.split('(').next().unwrap_or_default()).or_insert(0) += 1;
    }
    let all: u32 = calls.values().sum();
    eprintln!("{all} system calls of the packet path for {} records: {calls:?}", 2 * FLOWS);
    // Now and then it meets the sweep at a lock of the table. A call for each buffer of 512 records is too many.
    assert!(all <= 2 * FLOWS / 1_000, "{calls:?}");
}
