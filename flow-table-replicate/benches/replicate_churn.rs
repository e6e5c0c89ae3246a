//! What replication costs: `cargo bench --package flow-table-replicate` prints a table.
//!
//! * A new flow and its end on the packet path, with and without replication, each in a table of a million flows.
//! * The publisher's and the standby's work for each record.
//! * A standby that starts with a log of a million flows, and its promotion.
//!
//! With the argument `--test`, or from `cargo test`, everything is small.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flow_table_api::{Budget, FlowKey, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::codec::{FlowKeys, Raw};
use flow_table_replicate::transport::{Busy, MemoryTransport, Outcome, Sink};
use flow_table_replicate::{
    ClusterKey, Epoch, Publisher, Replicated, Settings, ShardId, ShardSet, Standby, Sweeper, Tracked,
};

type Value = [u8; 32];
type Bare = flow_table_custom::FlowTable<FlowKey, Value>;
type Flows = Replicated<FlowKey, Value, flow_table_custom::FlowTable<FlowKey, Tracked<Value>>, (FlowKeys, Raw)>;

/// Takes everything and keeps nothing.
#[derive(Default)]
struct Nowhere(Vec<Outcome>);

impl Sink for Nowhere {
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy> {
        black_box(batch);
        self.0.push(Outcome { token, stored: true });
        Ok(())
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.append(&mut self.0);
    }
}

fn key(id: u32) -> FlowKey {
    let [a, b, c, d] = id.to_be_bytes();
    FlowKey::v4(
        std::net::SocketAddrV4::new([10, b, c, d].into(), 1_000 + u16::from(a)),
        std::net::SocketAddrV4::new([192, 0, 2, 1].into(), 443),
        6,
    )
}

fn flow(id: u32) -> NewFlow<FlowKey, Value> {
    NewFlow::new(key(id), [id as u8; 32]).reply(key(id).reversed()).timeout(Duration::from_secs(300))
}

fn settings() -> Settings {
    Settings::new(ClusterKey::new([9; 16])).ring_buffers(4096)
}

fn flows(settings: Settings, number: u32) -> Flows {
    Flows::with_settings(TableConfig::new(number as usize * 2).hash_seed(1), settings, (FlowKeys, Raw))
}

/// Nanoseconds for each of `number` operations.
fn each(number: u32, operations: impl FnOnce()) -> f64 {
    let start = Instant::now();
    operations();
    start.elapsed().as_nanos() as f64 / f64::from(number)
}

/// Flows begin and end in a table that holds `held` flows, in rounds; `between` runs after each round and is not
/// counted. Returns the nanoseconds for each new flow and for each end.
fn churn<T: Table<FlowKey, Value>>(table: &T, held: u32, rounds: u32, mut between: impl FnMut()) -> (f64, f64) {
    const ROUND: u32 = 10_000;
    let now = Timestamp::from_secs(1);
    let begin = |id| drop(table.insert(flow(id), now).expect("there is room"));
    for round in 0..held / ROUND {
        (0..ROUND).for_each(|id| begin(round * ROUND + id));
        between();
    }
    let (mut begins, mut ends) = (f64::MAX, f64::MAX);
    for round in 0..rounds {
        let first = held + round * ROUND;
        let begun = each(ROUND, || (first..first + ROUND).for_each(begin));
        between();
        let ended = each(ROUND, || {
            (first..first + ROUND).for_each(|id| drop(table.remove(&key(id)).expect("it is there")));
        });
        between();
        (begins, ends) = (begins.min(begun), ends.min(ended));
    }
    black_box(table.reap(now, Budget::UNLIMITED));
    (begins, ends)
}

fn packet_path(held: u32, rounds: u32) {
    let bare = Bare::with_config(TableConfig::new(held as usize * 2).hash_seed(1));
    let without = churn(&bare, held, rounds, || ());
    let table = flows(settings(), held);
    let mut publisher = Publisher::new(table.feed(), Nowhere::default());
    let (mut records, mut work) = (0, Duration::ZERO);
    let with = churn(&table, held, rounds, || {
        let start = Instant::now();
        while publisher.flush(Timestamp::ZERO) {}
        work += start.elapsed();
        records = table.feed().counters().recorded;
    });
    assert_eq!(table.feed().counters().dropped, 0, "the ring is large enough");
    println!(
        "| new flow, ns, {held} flows in the table | {:.0} | {:.0} | {:+.0} |",
        without.0,
        with.0,
        with.0 - without.0
    );
    println!("| removal, ns | {:.0} | {:.0} | {:+.0} |", without.1, with.1, with.1 - without.1);
    println!("| publisher, ns a record | | {:.0} | |", work.as_nanos() as f64 / records as f64);
}

fn bootstrap(number: u32) {
    let owner = flows(settings(), number);
    let log = MemoryTransport::new(1 << 30);
    let mut publisher = Publisher::new(owner.feed(), log.sink());
    let now = Timestamp::from_secs(1);
    for id in 0..number {
        drop(owner.insert(flow(id), now).expect("there is room"));
        if id % 10_000 == 0 {
            publisher.flush(now);
        }
    }
    while publisher.flush(now) {}
    let start = Instant::now();
    let mut sweeper = Sweeper::new(&owner);
    assert!(sweeper.sweep(
        &owner,
        || now,
        || {
            publisher.poll(now);
            true
        }
    ));
    while publisher.flush(now) {}
    println!("| sweep of {number} flows, ms | | {:.0} | |", start.elapsed().as_secs_f64() * 1e3);

    let standby = Arc::new(flows(settings().standby(), number));
    let mut follower = Standby::new(Arc::clone(&standby), log.source());
    let start = Instant::now();
    while follower.poll(now, Duration::ZERO, 64) > 0 {}
    let took = start.elapsed();
    assert_eq!((standby.len(), standby.feed().counters().completed), (number as usize, 1));
    println!("| standby reads {number} flows and a sweep, ms | | {:.0} | |", took.as_secs_f64() * 1e3);

    let start = Instant::now();
    let epochs: Vec<_> = ShardId::all().map(|shard| (shard, Epoch::new(2))).collect();
    assert_eq!(standby.feed().own(&epochs), ShardSet::ALL);
    println!("| it owns them, µs | | {:.0} | |", start.elapsed().as_secs_f64() * 1e6);
}

fn main() {
    let small = std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions);
    println!("| | without | with replication | |\n|---|---:|---:|---:|");
    if small {
        packet_path(10_000, 2);
        bootstrap(10_000);
    } else {
        packet_path(1_000_000, 50);
        bootstrap(1_000_000);
    }
}
