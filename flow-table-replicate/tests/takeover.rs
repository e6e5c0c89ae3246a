//! An active process is killed while flows come and go; its standby has them.
//!
//! What must be there does not depend on the machine's speed: the active process exports an end when the log has
//! stored it, and then the log has stored everything that was recorded before it. How old the flows are that were
//! not stored yet is shown, and is checked if `FLOW_TABLE_AGE` asks for it: the age in milliseconds from which on
//! flows must be there. A machine that keeps the process or the server waiting for longer makes that fail.
//!
//! `FLOW_TABLE_RATE` is the number of flows that begin and of those that end in a second (20,000), and
//! `FLOW_TABLE_SECONDS` for how long after the first end was exported (2). Without the program `nats-server` the
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

use node::{Node, PATIENCE, key, value};
use server::{Servers, program};

const SWEEP: Duration = Duration::from_secs(2);

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// The flows that begin in a second.
fn rate() -> u64 {
    number("FLOW_TABLE_RATE").unwrap_or(20_000)
}

/// The age in milliseconds from which on flows must be there, if that is asked for.
fn age() -> Option<u64> {
    number("FLOW_TABLE_AGE")
}

/// For how many seconds a flow lives.
const LIFE: u64 = 2;

/// What the active process has done: after so many microseconds all flows before `begun` had begun, and all before
/// `ended` had ended. For `silent` microseconds the log had stored nothing, though something waited for it, and
/// `dropped` records were left to the next sweep.
#[derive(Clone, Copy, Debug)]
struct Progress {
    micros: u64,
    begun: u32,
    ended: u32,
    silent: u64,
    dropped: u64,
}

/// The active process. Flows begin at the rate asked for, and each ends when those of two seconds have begun
/// after it.
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
    let (rate, start) = (rate(), Instant::now());
    let (mut begun, mut ended) = (0, 0);
    loop {
        let due = (rate as f64 * start.elapsed().as_secs_f64()) as u32;
        while begun < due {
            node.insert(begun);
            begun += 1;
        }
        // Told before they end: the process may be killed when the log has their ends and nobody has been told.
        let ending = begun.saturating_sub((LIFE * rate) as u32);
        std::io::stdout().write_all(format!("ending {ending}\n").as_bytes()).unwrap();
        while ended < ending {
            assert!(node.gateway.table().remove(&key(ended)).is_some());
            ended += 1;
        }
        let status = node.gateway.status();
        let (silent, dropped) = (status.unacknowledged.as_micros(), status.counters.dropped);
        let line = format!("progress {} {begun} {ended} {silent} {dropped}\n", start.elapsed().as_micros());
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
    let (micros, begun, ended) = (word()?, word()? as u32, word()? as u32);
    Some(Progress { micros, begun, ended, silent: word()?, dropped: word()? })
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
    let (tell, first_export) = channel();
    let reader = thread::spawn(move || {
        let (mut progress, mut exported, mut ending) = (Vec::new(), Vec::new(), 0);
        for line in output.lines().map_while(Result::ok) {
            let number = |name| line.strip_prefix(name).and_then(|number| number.parse::<u32>().ok());
            progress.extend(parse(&line));
            if let Some(id) = number("exported ") {
                exported.push(id);
                // Only the first one is waited for.
                let _ = tell.send(());
            }
            ending = number("ending ").unwrap_or(ending);
        }
        (progress, exported, ending)
    });
    first_export.recv_timeout(PATIENCE).expect("an end is exported");
    drop(first_export);
    thread::sleep(Duration::from_secs(number("FLOW_TABLE_SECONDS").unwrap_or(2)));
    active.kill().unwrap();
    active.wait().unwrap();
    let promotion = standby.gateway.promote(ShardSet::ALL, PATIENCE);
    assert!(promotion.drained && promotion.shards == ShardSet::ALL, "{promotion:?}");

    let (progress, by_active, ending) = reader.join().unwrap();
    let last = *progress.last().expect("it was at work");
    // The log had the end of this flow, and so all flows that had begun by then, and all ends before it.
    let stored = *by_active.iter().max().expect("an end was exported");
    let begun = stored.saturating_add((LIFE * rate()) as u32);
    let lost: Vec<_> = (ending..begun).filter(|id| found(&standby, *id).is_none()).collect();
    let counters = standby.gateway.status().counters;
    let (of, first) = (lost.len(), lost.first());
    assert!(of == 0, "the log has {of} flows that are missing, from {first:?} on; {last:?}; {counters:?}");
    let revived: Vec<_> = by_active.iter().filter(|id| found(&standby, **id).is_some()).collect();
    let (of, first) = (revived.len(), revived.first());
    assert!(of == 0, "the log has the ends of {of} flows that are there, {first:?} first; {last:?}; {counters:?}");
    let silent = progress.iter().map(|then| then.silent).max().unwrap_or(0);
    eprintln!(
        "the log is known to have {} flows, and all of them are there; it had stored nothing for {silent} us at \
         most, for {} at the end; {} records were dropped",
        begun.saturating_sub(ending),
        last.silent,
        last.dropped,
    );
    let before = |age: u64| progress.iter().rev().find(|then| then.micros + 1_000 * age <= last.micros).copied();
    let missing = |age: u64| {
        let expected = ending..before(age).map_or(0, |then| then.begun).max(ending);
        let missing = expected.clone().filter(|id| found(&standby, *id).is_none()).count();
        eprintln!("older than {age} ms: {missing} of {} flows are missing", expected.len());
        (missing, expected.len())
    };
    for age in [2, 5, 10, 100, 500] {
        missing(age);
    }
    if let Some(age) = age() {
        let (missing, of) = missing(age);
        assert!(of > 0 && missing * 10_000 <= of, "{missing} of {of} flows are missing; {last:?}, {counters:?}");
        let ended = 0..before(age).expect("it was at work for longer").ended;
        let stale = ended.filter(|id| found(&standby, *id).is_some()).count();
        assert_eq!(stale, 0, "flows that had ended long ago are there");
    }
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
    if let Some(age) = age() {
        // What ended, or began, within the lag.
        assert!(lost as u64 <= rate() * age / 1_000, "{lost} lost");
    }
}

fn found(node: &Node, id: u32) -> Option<u64> {
    let flow = node.gateway.table().lookup(&key(id), Timestamp::ZERO)?;
    Some(*flow.value())
}
