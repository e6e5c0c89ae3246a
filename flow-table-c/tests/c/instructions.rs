//! What instructions.c does, in Rust: look-ups in bursts, many times, for callgrind to count instructions. See
//! `scripts/c-interface`.

use std::hint::black_box;

use flow_table::custom::FlowTable;
use flow_table::{Burst, Flow, NewFlow, Table, TableConfig, Timestamp};

const FLOWS: u64 = 1 << 14;
const KEYS: u64 = 1 << 12;
const BURST: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    words: (u64, u64, u64, u64, u64),
}

type Flows = FlowTable<Key, [u64; 8]>;

const fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

const fn key(index: u64) -> Key {
    Key { words: (mix(index), mix(!index), mix(index ^ 1 << 40), mix(index ^ 1 << 41), index) }
}

#[inline(never)]
fn measured_lookup(table: &Flows, keys: &[Key], now: Timestamp) -> usize {
    let mut all = 0;
    for keys in keys.chunks(BURST) {
        let burst = table.burst(now);
        let mut found = Vec::with_capacity(BURST);
        burst.get_batch(keys, &mut found);
        all += found.iter().flatten().count();
    }
    all
}

#[inline(never)]
fn measured_refresh(table: &Flows, keys: &[Key], now: Timestamp) -> usize {
    let mut all = 0;
    for keys in keys.chunks(BURST) {
        let burst = table.burst(now);
        let mut found = Vec::with_capacity(BURST);
        burst.get_batch(keys, &mut found);
        all += found.iter().flatten().filter(|flow| flow.refresh(now)).count();
    }
    all
}

fn main() {
    let operation = std::env::args().nth(1).unwrap_or_default();
    let table = Flows::with_config(TableConfig::new(2 * FLOWS as usize));
    for index in 0..FLOWS {
        let inserted = table.insert(NewFlow::new(key(index), [0; 8]), Timestamp::from_nanos(index));
        drop(inserted.expect("the table has room"));
    }
    let from = if operation == "miss" { FLOWS } else { FLOWS - KEYS };
    let keys: Vec<Key> = (from..from + KEYS).map(key).collect();
    let now = Timestamp::from_nanos(FLOWS);
    let found = match operation.as_str() {
        "refresh" => measured_refresh(&table, &keys, now),
        _ => measured_lookup(&table, &keys, now),
    };
    assert_eq!(black_box(found) as u64, if operation == "miss" { 0 } else { KEYS });
    println!("{KEYS}");
}
