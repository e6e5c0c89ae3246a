//! Runs one operation of one backend, or of one peer in C, many times, for callgrind to count instructions: see
//! `benches/instructions.sh`.
//!
//! Everything is repeatable: fixed hash seed, fixed keys, one thread. Callgrind collects only in [`measured`].

use std::hint::black_box;
use std::process::ExitCode;

use flow_table::{Budget, Burst, Flow, NewFlow, Table, TableConfig, Timestamp, custom, dashmap};
use flow_table_benches::Workload;
use flow_table_benches::data::{BURST, Key, Payload, key, payload};
use flow_table_benches::lane::Pace;
use flow_table_benches::peers::{Lfht, RteHash};
use flow_table_benches::subject::Subject;

/// Flows in the table.
const FLOWS: usize = 1 << 14;
/// How often the operation is done.
const OPERATIONS: u64 = 1 << 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let known = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["dashmap", operation] => run::<dashmap::FlowTable<Key, Payload>>(operation),
        ["custom", operation] => run::<custom::FlowTable<Key, Payload>>(operation),
        ["dpdk_rte_hash", operation] => run_peer::<RteHash>(operation),
        ["urcu_lfht", operation] => run_peer::<Lfht>(operation),
        _ => false,
    };
    if known {
        println!("{OPERATIONS}");
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "usage: instructions dashmap|custom|dpdk_rte_hash|urcu_lfht \
         hit|hit_batch|borrow_batch|miss|insert|refresh|reap_one\n\
         The peers in C have no refresh without a look-up, and are there only if they were built."
    );
    ExitCode::FAILURE
}

/// Makes a table and runs `operation` on it. Returns `true` if there is such an operation.
fn run<T: Table<Key, Payload>>(operation: &str) -> bool {
    let table = T::with_config(TableConfig::new(2 * FLOWS).hash_seed(1));
    let pace = Pace::of(FLOWS);
    let flow = |number| NewFlow::new(key(number), payload(number)).timeout(pace.timeout());
    for number in 0..FLOWS as u64 {
        drop(table.insert(flow(number), pace.time(number)).expect("the table has room"));
    }
    let filled = FLOWS as u64 - 1;
    // Known flows, none of which expires meanwhile, and unknown ones.
    let known: Vec<Key> = (0..OPERATIONS).map(|number| key(filled - number)).collect();
    let unknown: Vec<Key> = (0..OPERATIONS).map(|number| key(filled + 1 + number)).collect();
    let now = |operation: u64| pace.time(filled + 1 + operation);
    match operation {
        "hit" => measured(|| {
            for (key, operation) in known.iter().zip(0..) {
                black_box(table.lookup(key, now(operation)).is_some_and(|flow| flow.refresh(now(operation))));
            }
        }),
        "hit_batch" => batches(&table, &known, &now),
        "borrow_batch" => bursts(&table, &known, &now),
        "miss" => measured(|| {
            for key in &unknown {
                black_box(table.lookup(key, now(0)).is_some());
            }
        }),
        "insert" => {
            let flows: Vec<_> = (0..OPERATIONS).map(|number| flow(filled + 1 + number)).collect();
            measured(|| {
                for flow in flows {
                    black_box(table.insert(flow, now(0)).is_ok());
                }
            });
        }
        "refresh" => {
            let handles: Vec<_> = known.iter().filter_map(|key| table.lookup(key, now(0))).collect();
            measured(|| {
                for (flow, operation) in handles.iter().zip(0..) {
                    black_box(flow.refresh(now(operation)));
                }
            });
        }
        "reap_one" => {
            let start = pace.timeout();
            measured(|| {
                for number in 0..OPERATIONS {
                    black_box(table.reap(pace.time(number) + start, Budget::UNLIMITED).expired);
                }
            });
        }
        _ => return false,
    }
    true
}

/// The same for a peer. A batch hands out nothing that counts, so both kinds of batches are one.
fn run_peer<S: Subject>(operation: &str) -> bool {
    if S::cannot(Workload::LookupHit).is_some() {
        return false;
    }
    let peer = S::new(FLOWS, 2 * FLOWS);
    let (pace, filled) = (Pace::of(FLOWS), FLOWS as u64);
    peer.enter();
    for number in 0..filled {
        peer.insert(key(number), pace.timeout(), pace.time(number));
    }
    let known: Vec<Key> = (0..OPERATIONS).map(|number| key(filled - 1 - number)).collect();
    let unknown: Vec<Key> = (0..OPERATIONS).map(|number| key(filled + number)).collect();
    let now = |operation: u64| pace.time(filled + operation);
    match operation {
        "hit" => measured(|| {
            for (key, operation) in known.iter().zip(0..) {
                black_box(peer.hit(key, now(operation)));
            }
        }),
        "hit_batch" | "borrow_batch" => measured(|| {
            for (keys, batch) in known.chunks(BURST).zip(0..) {
                black_box(peer.hit_batch(keys, now(batch), &mut S::Scratch::default()));
            }
        }),
        "miss" => measured(|| {
            for key in &unknown {
                black_box(peer.find(key, now(0)));
            }
        }),
        "insert" => measured(|| {
            for key in &unknown {
                peer.insert(*key, pace.timeout(), now(0));
            }
        }),
        "reap_one" => {
            let start = pace.timeout();
            measured(|| {
                for number in 0..OPERATIONS {
                    black_box(peer.expire(&[], pace.time(number) + start));
                }
            });
        }
        _ => {
            peer.leave();
            return false;
        }
    }
    peer.leave();
    true
}

fn batches<T: Table<Key, Payload>>(table: &T, keys: &[Key], now: &impl Fn(u64) -> Timestamp) {
    let mut found = Vec::with_capacity(BURST);
    measured(|| {
        for (keys, batch) in keys.chunks(BURST).zip(0..) {
            table.lookup_batch(keys, now(batch), &mut found);
            black_box(found.drain(..).flatten().filter(|flow| flow.refresh(now(batch))).count());
        }
    });
}

fn bursts<T: Table<Key, Payload>>(table: &T, keys: &[Key], now: &impl Fn(u64) -> Timestamp) {
    measured(|| {
        for (keys, batch) in keys.chunks(BURST).zip(0..) {
            let burst = table.burst(now(batch));
            let mut found = Vec::with_capacity(BURST);
            burst.get_batch(keys, &mut found);
            black_box(found.iter().flatten().filter(|flow| flow.refresh(now(batch))).count());
        }
    });
}

/// What callgrind counts.
#[inline(never)]
fn measured(operations: impl FnOnce()) {
    operations();
}
