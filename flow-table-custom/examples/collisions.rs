//! What keys cost that were chosen to collide, by someone who knows the seed: `cargo run --release -p
//! flow-table-custom --example collisions`. Under any other seed the same keys are ordinary ones.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flow_table_api::{InsertError, KeyHasher, NewFlow, Table, TableConfig, Timestamp};
use flow_table_custom::FlowTable;

type Flows = FlowTable<u64, [u64; 8]>;

const SEED: u64 = 7;
const NOW: Timestamp = Timestamp::ZERO;

/// The 32 bits of a key's hash that the table uses: the first choose the segment, the last the tag, those before
/// it the bucket.
fn bits(key: u64) -> u32 {
    (KeyHasher::with_seed(SEED).hash_one(key) >> 32) as u32
}

/// Of these bits, those that choose the segment.
const SEGMENT: u32 = 0xffe0_0000;

/// Keys that all have one bucket and one tag in a segment that holds them.
fn colliding(count: usize) -> Vec<u64> {
    let buckets = (count * 16).div_ceil(12 * 13).next_power_of_two();
    let mask = SEGMENT | (256 * buckets - 1) as u32;
    let wanted = bits(0) & mask;
    (0..).filter(|&key| bits(key) & mask == wanted).take(count).collect()
}

/// Nanoseconds for each key: insertion, look-up, removal. The best of several rounds.
fn costs(config: &TableConfig, keys: &[u64]) -> [f64; 3] {
    let mut best = [Duration::MAX; 3];
    for _ in 0..(20_000 / keys.len()).clamp(2, 50) {
        let table = Flows::with_config(config.clone());
        let timed = |best: &mut Duration, op: &dyn Fn(u64)| {
            let start = Instant::now();
            keys.iter().for_each(|&key| op(key));
            *best = start.elapsed().min(*best);
        };
        let [insert, lookup, remove] = &mut best;
        timed(insert, &|key| drop(table.insert(NewFlow::new(key, [0; 8]), NOW).expect("there is room")));
        timed(lookup, &|key| assert!(black_box(table.lookup(&key, NOW)).is_some()));
        timed(remove, &|key| assert!(table.remove(&key).is_some()));
    }
    best.map(|time| time.as_nanos() as f64 / keys.len() as f64)
}

fn one_shard() -> TableConfig {
    TableConfig::new(8_192).shards(1)
}

/// Keys of one segment of a table for a million flows, until no more go in; how many did, and whether others still
/// do.
fn fill_a_segment() -> (usize, bool) {
    let table = Flows::with_config(TableConfig::new(1_000_000).shards(1).hash_seed(SEED));
    let insert = |key: u64| table.insert(NewFlow::new(key, [0; 8]), NOW).map(drop).map_err(Box::new);
    for key in (0..).filter(|&key| bits(key) & SEGMENT == 0) {
        match insert(key).map_err(|refused| *refused) {
            Ok(()) => {}
            Err(InsertError::OutOfMemory { .. }) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
    let others = (0..).filter(|&key| bits(key) & SEGMENT != 0).take(100_000);
    (table.len(), others.into_iter().all(|key| insert(key).is_ok()))
}

fn main() {
    println!("  keys  that                      insertion    look-up    removal    ns for each key");
    for count in [16, 64, 256] {
        let ordinary: Vec<_> = (0..).filter(|&key| bits(key) & SEGMENT == bits(0) & SEGMENT).take(count).collect();
        let chosen = colliding(count);
        let rows = [
            ("are ordinary", one_shard().hash_seed(SEED), &ordinary),
            ("collide, another seed", one_shard(), &chosen),
            ("collide, known seed", one_shard().hash_seed(SEED), &chosen),
        ];
        let base = costs(&rows[0].1, rows[0].2);
        for (name, config, keys) in rows {
            let costs = costs(&config, keys);
            let ratios: Vec<_> =
                costs.iter().zip(base).map(|(cost, base)| format!("{:.1}", cost / base)).collect();
            let [insert, lookup, remove] = costs;
            let times = ratios.join(", ");
            println!("{count:>6}  {name:<22} {insert:>11.0} {lookup:>10.0} {remove:>10.0}    times {times}");
        }
    }
    let (taken, others) = fill_a_segment();
    println!("one segment of 2048 takes {taken} flows and refuses more; others go in: {others}");
    assert!(taken > 75_000 && others);
}
