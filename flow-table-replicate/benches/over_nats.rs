//! What replication over a real NATS server costs: `cargo bench --package flow-table-replicate --all-features
//! --bench over_nats` prints a table. Starts a server of its own (the program `nats-server`, or `NATS_SERVER`).
//!
//! * Processor time of the publisher and of the client of NATS for each record, at 200,000 new flows and as many
//!   ends a second. The packet path's own thread is not counted.
//! * Promotion of a standby that has a million flows, with the server and without it.
//! * The time of a burst on the packet path (16 packets of known flows, a new flow and an end), without
//!   replication, with it, and while the server is away: the 99.99th percentiles. They take turns of a second, in
//!   one process; a second table without replication takes turns as well, and shows what is chance. Server, client
//!   and packet path share the machine, so the same is told without the time for which the thread waited for a
//!   processor.
//!
//! The arguments `client`, `promotion` and `outage` choose what is measured. With the argument `--test`, or from
//! `cargo test`, everything is small.

#[path = "../tests/nats/node.rs"]
mod node;
#[path = "../tests/nats/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use flow_table_api::{Clock as _, Flow as _, FlowKey, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::ShardSet;

use node::{Node, PATIENCE, key, value, wait_for};
use server::{Servers, program};

const SWEEP: Duration = Duration::from_secs(20);

/// How much is measured.
struct Size {
    flows: u32,
    seconds: u64,
    rate: u32,
    rounds: u32,
    turn: Duration,
}

fn main() {
    let small = std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions);
    let Some(program) = program() else { return };
    let size = if small {
        Size { flows: 5_000, seconds: 1, rate: 10_000, rounds: 1, turn: Duration::from_millis(200) }
    } else {
        Size { flows: 1_000_000, seconds: 8, rate: 200_000, rounds: 40, turn: Duration::from_secs(1) }
    };
    let parts = [("client", client as fn(&mut Servers, &Size)), ("promotion", promotion), ("outage", outage)];
    let chosen = |name: &str| std::env::args().any(|argument| argument == name);
    let all = !parts.iter().any(|(name, _)| chosen(name));
    println!("| | |\n|---|---:|");
    for (_, measure) in parts.into_iter().filter(|(name, _)| all || chosen(name)) {
        measure(&mut Servers::start(program.clone(), 1), &size);
    }
}

/// The processor time of this process's threads in nanoseconds, by their names, without the thread that asks.
fn processor() -> BTreeMap<String, u64> {
    // A thread may have ended meanwhile.
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let used = |path: &Path| -> u64 {
        read(path.join("schedstat")).split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    let this = fs::read_link("/proc/thread-self").expect("Linux");
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let mut times = BTreeMap::new();
    for task in tasks.filter(|task| Some(&*task.file_name()) != this.file_name()) {
        *times.entry(read(task.path().join("comm")).trim().to_owned()).or_default() += used(&task.path());
    }
    times
}

/// Flows begin and end at a rate, for a while.
fn churn(owner: &Node, size: &Size) {
    let start = Instant::now();
    let (mut begun, mut ended) = (0, 0);
    while start.elapsed() < Duration::from_secs(size.seconds) {
        let due = (f64::from(size.rate) * start.elapsed().as_secs_f64()) as u32;
        while begun < due {
            owner.insert(begun);
            begun += 1;
        }
        while u64::from(ended) + u64::from(size.rate) / 2 < u64::from(begun) {
            drop(owner.gateway.table().remove(&key(ended)));
            ended += 1;
        }
        thread::sleep(Duration::from_micros(500));
    }
}

fn client(servers: &mut Servers, size: &Size) {
    let owner = Node::start(&servers.connect(), 1, SWEEP);
    assert!(owner.gateway.promote(ShardSet::ALL, PATIENCE).confirmed);
    let counters = || owner.gateway.status().counters;
    let (before, used) = (counters(), processor());
    churn(&owner, size);
    let (after, now) = (counters(), processor());
    let records = after.recorded - before.recorded;
    let batches = after.published - before.published;
    let times = now.iter().map(|(name, time)| (name, time - used.get(name).copied().unwrap_or(0)));
    let each = |time: u64| time as f64 / records as f64;
    println!("| client: ns of processor time a record | {:.0} |", each(times.clone().map(|(_, time)| time).sum()));
    for (name, time) in times.filter(|(_, time)| each(*time) >= 0.5) {
        println!("| of it {name} | {:.0} |", each(time));
    }
    println!("| records a second | {} |", records / size.seconds);
    println!("| records a batch | {} |", records / batches.max(1));
    println!("| records dropped | {} |", after.dropped - before.dropped);
}

fn promotion(servers: &mut Servers, size: &Size) {
    let (owner, standby) = (servers.connect(), servers.connect());
    let (owner, standby) = (Node::start(&owner, 1, SWEEP), Node::start(&standby, 2, SWEEP));
    assert!(owner.gateway.promote(ShardSet::ALL, PATIENCE).confirmed);
    for id in 0..size.flows {
        owner.insert(id);
        if id % 10_000 == 0 {
            // As fast as the log takes it.
            wait_for("the publisher", PATIENCE, || {
                owner.gateway.status().unacknowledged < Duration::from_millis(50)
            });
        }
    }
    wait_for("the flows at the standby", 4 * PATIENCE, || standby.len() == size.flows as usize);
    thread::sleep(Duration::from_secs(1));
    let up = standby.gateway.promote(ShardSet::ALL, PATIENCE);
    assert!(up.confirmed && up.drained && up.flows == size.flows as usize, "{up:?}");
    println!("| promotion of {} flows, server up, ms | {:.1} |", up.flows, up.took.as_secs_f64() * 1e3);
    wait_for("the owner to step down", PATIENCE, || owner.gateway.status().owned.is_empty());
    servers.servers[0].kill();
    wait_for("both to notice", PATIENCE, || {
        let down = owner.gateway.promote(ShardSet::ALL, Duration::from_millis(80));
        if !down.confirmed {
            assert_eq!((down.shards, down.flows), (ShardSet::ALL, size.flows as usize));
            println!("| the same, server down, limit 80 ms, ms | {:.1} |", down.took.as_secs_f64() * 1e3);
        }
        !down.confirmed
    });
}

/// How long this thread has waited for a processor while it could have run, in nanoseconds.
struct Waited(fs::File);

impl Waited {
    fn new() -> Self {
        Self(fs::File::open("/proc/thread-self/schedstat").expect("Linux"))
    }

    fn read(&self) -> u64 {
        let mut bytes = [0; 64];
        let len = self.0.read_at(&mut bytes, 0).expect("it can be read again and again");
        let text = std::str::from_utf8(&bytes[..len]).unwrap_or_default();
        text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

/// How long bursts took, in nanoseconds: as a clock shows it, and without the time for which the thread waited for
/// a processor.
type Times = [Vec<u64>; 2];

/// Packets come to a table in bursts.
struct Packets<'t, T, N> {
    table: &'t T,
    now: N,
    next: u32,
}

impl<'t, T: Table<FlowKey, u64>, N: Fn() -> Timestamp> Packets<'t, T, N> {
    const KNOWN: u32 = 50_000;
    const PER_SECOND: f64 = 20_000.0;

    fn new(table: &'t T, now: N) -> Self {
        let packets = Self { table, now, next: Self::KNOWN };
        (0..Self::KNOWN).for_each(|id| packets.insert(id));
        packets
    }

    fn insert(&self, id: u32) {
        let flow = NewFlow::new(key(id), value(id)).timeout(Duration::from_secs(3_600));
        drop(self.table.insert(flow, (self.now)()).expect("there is room"));
    }

    /// Bursts come for a while.
    fn turn(&mut self, length: Duration) -> Times {
        let (mut times, waited) = (Times::default(), Waited::new());
        let (start, first) = (Instant::now(), self.next);
        while start.elapsed() < length {
            let due = (Self::PER_SECOND * start.elapsed().as_secs_f64()) as u32;
            while self.next < first + due {
                let before = waited.read();
                let (began, time) = (Instant::now(), (self.now)());
                for packet in 0..16 {
                    let id = self.next.wrapping_mul(31).wrapping_add(packet * 3_001) % Self::KNOWN;
                    let flow = self.table.lookup(&key(id), time).expect("it is known");
                    black_box(flow.refresh(time));
                }
                self.insert(self.next);
                drop(self.table.remove(&key(self.next)));
                let took = began.elapsed().as_nanos() as u64;
                times[0].push(took);
                times[1].push(took.saturating_sub(waited.read() - before));
                self.next += 1;
            }
            self.table.reap_local((self.now)(), flow_table_api::Budget::flows(64));
            thread::sleep(Duration::from_micros(100));
        }
        times
    }
}

/// The 99.99th percentile in microseconds.
fn most(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    times[times.len() - 1 - times.len() / 10_000] as f64 / 1e3
}

/// The lower quartile, the median and the upper quartile.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

/// Short turns of each side in one process, in an order that changes from round to round. What the machine does
/// beside it meets all sides alike. The second side is the same as the first: as far as these two differ, nothing
/// can be told.
fn outage(servers: &mut Servers, size: &Size) {
    let mut gone = Servers::start(program().expect("it was there"), 1);
    let connected = |servers: &Servers| {
        let owner = Node::start(&servers.connect(), 1, SWEEP);
        assert!(owner.gateway.promote(ShardSet::ALL, PATIENCE).confirmed);
        owner
    };
    let (owner, away) = (connected(servers), connected(&gone));
    gone.servers[0].kill();
    let clock = flow_table_api::MonotonicClock::new();
    let bare = || flow_table_custom::FlowTable::<FlowKey, u64>::with_config(TableConfig::new(2_000_000));
    let bare = [bare(), bare()];
    let mut without = bare.each_ref().map(|table| Packets::new(table, || clock.now()));
    let mut with = [&owner, &away].map(|node| Packets::new(&**node.gateway.table(), || node.clock.now()));
    let mut turn = |side: usize, length| match side {
        0 | 1 => without[side].turn(length),
        _ => with[side - 2].turn(length),
    };
    const SIDES: [&str; 4] = ["without", "again without, as a control", "with replication", "server away"];
    let (mut all, mut rounds) = ([const { [Vec::new(), Vec::new()] }; 4], Vec::new());
    for round in 0..size.rounds as usize {
        let mut most_of = [[0.0; 2]; 4];
        for place in 0..4 {
            let side = (round + place) % 4;
            for (kind, times) in turn(side, size.turn).into_iter().enumerate() {
                all[side][kind].extend(&times);
                most_of[side][kind] = most(times);
            }
        }
        rounds.push(most_of);
    }
    for (kind, what) in ["", ", without waiting for a processor"].into_iter().enumerate() {
        let together = all.each_mut().map(|times| most(std::mem::take(&mut times[kind])));
        println!("| 99.99 % of bursts{what}, µs: | median of {} rounds | all rounds, to without |", rounds.len());
        for (side, name) in SIDES.into_iter().enumerate() {
            let [_, median, _] = quartiles(rounds.iter().map(|round| round[side][kind]).collect());
            println!("| {name} | {median:.1} | {:.1}, {:.2} |", together[side], together[side] / together[0]);
        }
        println!("| ratio to without in the same round: | median | quartiles |");
        for (side, name) in SIDES.into_iter().enumerate().skip(1) {
            let ratios = rounds.iter().map(|round| round[side][kind] / round[0][kind]);
            let [low, median, high] = quartiles(ratios.collect());
            println!("| {name} | {median:.2} | {low:.2} to {high:.2} |");
        }
    }
}
