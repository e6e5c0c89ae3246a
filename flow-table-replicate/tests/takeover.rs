//! An active process is killed while flows come and go; its standby has them.
//!
//! `FLOW_TABLE_RATE` is the number of flows that begin and of those that end in a second (20,000), and
//! `FLOW_TABLE_SECONDS` for how long (4). `FLOW_TABLE_AGE` is the age in milliseconds from which on flows must be
//! there: 500, since a busy machine may keep a process waiting for long. Without the program `nats-server` the
//! test says so and checks nothing.
#![cfg(all(feature = "nats", unix))]

#[path = "nats/node.rs"]
mod node;
#[path = "nats/server.rs"]
mod server;

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use flow_table_api::{Flow as _, FlowKey, Table as _, Timestamp};
use flow_table_replicate::ShardSet;
use flow_table_replicate::transport::nats::{NatsConfig, NatsTransport};

use node::{Node, PATIENCE, key, value, wait_for};
use server::{Servers, program};

const SWEEP: Duration = Duration::from_secs(2);

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// What the active process has done: after so many microseconds all flows before `begun` had begun, and all before
/// `ended` had ended.
#[derive(Clone, Copy, Debug)]
struct Progress {
    micros: u64,
    begun: u32,
    ended: u32,
}

/// The active process. Flows begin at the rate asked for, and each ends two seconds later.
#[test]
#[ignore = "the other test starts it"]
fn active_process() {
    let Ok(servers) = env::var("FLOW_TABLE_TEST_SERVERS") else { return };
    let transport = NatsTransport::connect(&NatsConfig::new(servers, "test")).unwrap();
    // An end is exported when its line is written. That must not keep the publisher.
    let (export, exported) = channel();
    let node = Node::start_exporting(&transport, 1, SWEEP, move |ended| export.send(id(&ended.key)).unwrap());
    thread::spawn(move || {
        while let Ok(first) = exported.recv() {
            let ids = [first].into_iter().chain(exported.try_iter().take(99));
            let lines: String = ids.map(|id| format!("exported {id}\n")).collect();
            std::io::stdout().write_all(lines.as_bytes()).unwrap();
        }
    });
    assert_eq!(node.gateway.promote(ShardSet::ALL, PATIENCE).shards, ShardSet::ALL);
    let (rate, start) = (number("FLOW_TABLE_RATE", 20_000), Instant::now());
    let (mut begun, mut ended) = (0, 0);
    loop {
        let due = (rate as f64 * start.elapsed().as_secs_f64()) as u32;
        while begun < due {
            node.insert(begun);
            begun += 1;
        }
        while u64::from(ended) + 2 * rate < u64::from(begun) {
            assert!(node.gateway.table().remove(&key(ended)).is_some());
            ended += 1;
        }
        let line = format!("progress {} {begun} {ended}\n", start.elapsed().as_micros());
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}

/// The number of the flow with this key.
fn id(of: &FlowKey) -> u32 {
    match of.source().ip() {
        IpAddr::V4(address) => address.to_bits() & 0x00ff_ffff,
        IpAddr::V6(_) => unreachable!("all flows are IPv4"),
    }
}

fn parse(line: &str) -> Option<Progress> {
    let mut words = line.strip_prefix("progress ")?.split(' ');
    let mut word = || words.next()?.parse::<u64>().ok();
    Some(Progress { micros: word()?, begun: word()? as u32, ended: word()? as u32 })
}

#[test]
fn a_killed_process_leaves_its_flows_to_its_standby() {
    let Some(program) = program() else { return };
    let servers = Servers::start(program, 1);
    let transport = servers.connect();
    let (export, exported) = channel();
    let standby = Node::start_exporting(&transport, 2, SWEEP, move |ended| export.send(id(&ended.key)).unwrap());
    let mut active = Command::new(env::current_exe().unwrap())
        .args(["--exact", "active_process", "--ignored", "--nocapture"])
        .env("FLOW_TABLE_TEST_SERVERS", servers.config().servers)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(active.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        let (mut progress, mut exported) = (Vec::new(), Vec::new());
        for line in output.lines().map_while(Result::ok) {
            progress.extend(parse(&line));
            exported.extend(line.strip_prefix("exported ").and_then(|id| id.parse::<u32>().ok()));
        }
        (progress, exported)
    });
    wait_for("flows", PATIENCE, || standby.len() > 0);
    thread::sleep(Duration::from_secs(number("FLOW_TABLE_SECONDS", 4)));
    active.kill().unwrap();
    active.wait().unwrap();
    let promotion = standby.gateway.promote(ShardSet::ALL, Duration::from_secs(10));
    assert!(promotion.drained && promotion.shards == ShardSet::ALL, "{promotion:?}");

    let (progress, by_active) = reader.join().unwrap();
    let last = *progress.last().expect("it was at work");
    let missing = |age: u64| {
        let then = progress.iter().rev().find(|then| then.micros + 1_000 * age <= last.micros).copied();
        let expected = last.ended..then.map_or(0, |then| then.begun).max(last.ended);
        let missing: Vec<_> = expected.clone().filter(|id| found(&standby, *id).is_none()).collect();
        (missing, expected.len(), then)
    };
    for age in [2, 5, 10, 100] {
        let (missing, of, _) = missing(age);
        eprintln!("older than {age} ms: {} of {of} flows are missing", missing.len());
    }
    let (missing, of, then) = missing(number("FLOW_TABLE_AGE", 500));
    assert!(
        of > 0 && missing.len() * 10_000 <= of,
        "{} of {of} flows are missing, from {:?} to {:?}; {last:?}, {:?}",
        missing.len(),
        missing.first(),
        missing.last(),
        standby.gateway.status().counters
    );
    let ended = 0..then.expect("it was at work for longer").ended;
    let stale = ended.filter(|id| found(&standby, *id).is_some()).count();
    assert_eq!(stale, 0, "flows that had ended long ago are there");
    let wrong = (0..last.begun).filter(|id| found(&standby, *id).is_some_and(|found| found != value(*id))).count();
    assert_eq!((wrong, standby.gateway.status().counters.corrupt), (0, 0));
    eprintln!("taken over in {:?}; {} flows were there", promotion.took, promotion.flows);

    // Whatever is left ends here, also what had begun and was not told any more.
    let mut left = Vec::new();
    standby.gateway.table().for_each(|flow| left.push(*flow.key()));
    assert_eq!(left.len(), promotion.flows);
    left.iter().for_each(|key| drop(standby.gateway.table().remove(key)));
    let next = || exported.recv_timeout(Duration::from_secs(20)).ok();
    let by_standby: Vec<u32> = std::iter::from_fn(next).take(promotion.flows).collect();
    assert_eq!((by_standby.len(), standby.gateway.status().counters.unexported), (promotion.flows, 0));
    drop(standby);
    let by_standby = [by_standby, exported.iter().collect()].concat();
    let (of_active, of_standby) = (by_active.len(), by_standby.len());
    let mut all = [by_active, by_standby].concat();
    all.sort_unstable();
    let exports = all.len();
    all.dedup();
    assert_eq!(all.len(), exports, "an end was exported twice");
    let lost = last.begun as usize - all.len().min(last.begun as usize);
    eprintln!("ends exported: {of_active} by the active process, {of_standby} by the standby; {lost} not at all");
    // What ended, or began, within the lag.
    let lag = number("FLOW_TABLE_RATE", 20_000) * number("FLOW_TABLE_AGE", 500) / 1_000;
    assert!(of_active > 0 && lost as u64 <= lag, "{lost} lost");
}

fn found(node: &Node, id: u32) -> Option<u64> {
    let flow = node.gateway.table().lookup(&key(id), Timestamp::ZERO)?;
    Some(*flow.value())
}
