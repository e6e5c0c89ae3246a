//! The timer queue against one in-place 4-ary heap: `cargo bench -p flow-table-custom --bench timer`.
//!
//! Flows are spread over 16 queues, as over shards; they lie in one arena in random order, 128 bytes each and
//! another 8 for the shard's own notes, so that looking at one misses the cache as it does in a table. Time is
//! simulated. Both queues run the same workload in turns, round by round; the medians are shown.
//!
//! Arguments: numbers of flows, by default 65536, 1000000 and 8000000. Without `--bench`, as under `cargo test`,
//! one small round only shows that everything runs.

// The crate's own files, as no library shows them. Not all of each is used here, and the tests in them have no
// harness.
#![allow(dead_code, unused_imports, clippy::duplicate_mod)]

#[path = "../src/ids.rs"]
mod ids;
#[path = "../src/memory/mod.rs"]
mod memory;
#[path = "../src/prefetch.rs"]
mod prefetch;
#[path = "../src/sync.rs"]
mod sync;
#[path = "../src/timer/mod.rs"]
mod timer;

#[path = "timer/baseline.rs"]
mod baseline;
#[path = "timer/records.rs"]
mod records;
#[path = "timer/workloads.rs"]
mod workloads;

use baseline::HeapQueue;
use timer::TimerQueue;
use workloads::{Measure, World};

const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        compare(2_000, 1);
        return;
    }
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1 << 16, 1_000_000, 8_000_000];
    }
    sizes.into_iter().for_each(|flows| compare(flows, ROUNDS));
}

fn compare(flows: usize, rounds: usize) {
    let (mut wheel, mut heap) = (World::<TimerQueue>::new(flows), World::<HeapQueue>::new(flows));
    let mut measured = Vec::new();
    for _ in 0..rounds {
        measured.push((wheel.round(), heap.round()));
    }
    println!("\n{flows} flows{:>32}{:>10}{:>9}", "wheel", "heap", "ratio");
    for (row, measure) in measured[0].0.iter().enumerate() {
        let of_wheel = median(measured.iter().map(|(wheel, _)| wheel[row].value));
        let of_heap = median(measured.iter().map(|(_, heap)| heap[row].value));
        let Measure { name, unit, .. } = measure;
        println!("{name:<22}{unit:<16}{of_wheel:>9.1} {of_heap:>9.1} {:>8.2}", of_heap / of_wheel);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
