//! Runs one operation of one backend, or of one peer in C, many times, for callgrind to count instructions: see
//! `benches/instructions.sh`. Prints how many operations there were.
//!
//! Everything is repeatable: fixed hash seed, fixed keys, one thread. Callgrind collects only in [`measured`].
//! Keys and flows are made before that.

use std::hint::black_box;
use std::process::ExitCode;

use flow_table::{Budget, Burst, Flow, NewFlow, Table, TableConfig, Timestamp, custom, dashmap};
use flow_table_benches::Workload;
use flow_table_benches::codec::Plain;
use flow_table_benches::data::{BURST, Key, Payload, key, payload};
use flow_table_benches::lane::Pace;
use flow_table_benches::peers::{Lfht, RteHash};
use flow_table_benches::subject::Subject;
use flow_table_replicate::{Replicated, Tracked};

/// The custom backend with replication. Nobody publishes, so that only the packet path is counted.
type Recorded = Replicated<Key, Payload, custom::FlowTable<Key, Tracked<Payload>>, (Plain, Plain)>;

/// Flows in the table.
const FLOWS: u64 = 1 << 14;
/// Keys that are looked up, inserted or removed.
const KEYS: u64 = 1 << 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let operations = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["dashmap", operation] => Bench::<dashmap::FlowTable<Key, Payload>>::new().run(operation),
        ["custom", operation] => Bench::<custom::FlowTable<Key, Payload>>::new().run(operation),
        ["replicated", operation] => Bench::<Recorded>::new().run(operation),
        ["dpdk_rte_hash", operation] => run_peer::<RteHash>(operation),
        ["urcu_lfht", operation] => run_peer::<Lfht>(operation),
        _ => None,
    };
    if let Some(operations) = operations {
        println!("{operations}");
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: instructions dashmap|custom|replicated|dpdk_rte_hash|urcu_lfht OPERATION");
    eprintln!("benches/instructions.sh has the operations. The peers in C are there only if they were built.");
    ExitCode::FAILURE
}

/// A table with [`FLOWS`] flows, keys of some that do not expire soon, and keys of none.
struct Bench<T> {
    table: T,
    pace: Pace,
    now: Timestamp,
    known: Vec<Key>,
    unknown: Vec<Key>,
}

impl<T: Table<Key, Payload>> Bench<T> {
    fn new() -> Self {
        let (table, pace) =
            (T::with_config(TableConfig::new(2 * FLOWS as usize).hash_seed(1)), Pace::of(FLOWS as usize));
        let known = (FLOWS - KEYS..FLOWS).map(key).collect();
        let unknown = (FLOWS..FLOWS + KEYS).map(key).collect();
        let bench = Self { table, pace, now: pace.time(FLOWS), known, unknown };
        bench.insert_all((0..FLOWS).map(|number| (bench.flow(number), pace.time(number))));
        bench
    }

    fn flow(&self, number: u64) -> NewFlow<Key, Payload> {
        NewFlow::new(key(number), payload(number)).timeout(self.pace.timeout())
    }

    fn insert_all(&self, flows: impl Iterator<Item = (NewFlow<Key, Payload>, Timestamp)>) {
        for (flow, now) in flows {
            drop(self.table.insert(flow, now).expect("the table has room"));
        }
    }

    /// Runs an operation. Returns how often it did, or `None` if there is no such operation.
    fn run(&self, operation: &str) -> Option<u64> {
        match operation {
            "hit" => self.hit(),
            "borrow" => self.borrow(),
            "hit_batch" => self.hit_batches(&self.known),
            "borrow_batch" => self.borrow_batches(&self.known),
            "miss" => self.miss(),
            "miss_batch" => self.borrow_batches(&self.unknown),
            "refresh" => self.refresh(),
            "insert" => {
                // The slots that these flows need are made before.
                self.insert_all((FLOWS..FLOWS + KEYS).map(|number| (self.flow(number), self.now)));
                self.unknown.iter().for_each(|key| drop(self.table.remove(key)));
                self.insert(&self.table)
            }
            "insert_growing" => self.insert(&T::with_config(TableConfig::new(2 * FLOWS as usize).hash_seed(1))),
            "remove" => self.remove(),
            "reap_one" => self.reap(1),
            "reap_16" => self.reap(16),
            "reap_all" => self.reap(FLOWS),
            _ => None,
        }
    }

    fn hit(&self) -> Option<u64> {
        measured(|| {
            for key in &self.known {
                black_box(self.table.lookup(key, self.now).is_some_and(|flow| flow.refresh(self.now)));
            }
        });
        Some(KEYS)
    }

    fn borrow(&self) -> Option<u64> {
        measured(|| {
            for keys in self.known.chunks(BURST) {
                let burst = self.table.burst(self.now);
                for key in keys {
                    black_box(burst.get(key).is_some_and(|flow| flow.refresh(self.now)));
                }
            }
        });
        Some(KEYS)
    }

    fn hit_batches(&self, keys: &[Key]) -> Option<u64> {
        let mut found = Vec::with_capacity(BURST);
        measured(|| {
            for keys in keys.chunks(BURST) {
                self.table.lookup_batch(keys, self.now, &mut found);
                black_box(found.drain(..).flatten().filter(|flow| flow.refresh(self.now)).count());
            }
        });
        Some(KEYS)
    }

    fn borrow_batches(&self, keys: &[Key]) -> Option<u64> {
        measured(|| {
            for keys in keys.chunks(BURST) {
                let burst = self.table.burst(self.now);
                let mut found = Vec::with_capacity(BURST);
                burst.get_batch(keys, &mut found);
                black_box(found.iter().flatten().filter(|flow| flow.refresh(self.now)).count());
            }
        });
        Some(KEYS)
    }

    fn miss(&self) -> Option<u64> {
        measured(|| {
            for key in &self.unknown {
                black_box(self.table.lookup(key, self.now).is_some());
            }
        });
        Some(KEYS)
    }

    fn refresh(&self) -> Option<u64> {
        let handles: Vec<_> = self.known.iter().filter_map(|key| self.table.lookup(key, self.now)).collect();
        measured(|| {
            for flow in &handles {
                black_box(flow.refresh(self.now));
            }
        });
        Some(KEYS)
    }

    fn insert(&self, table: &T) -> Option<u64> {
        let flows: Vec<_> = (FLOWS..FLOWS + KEYS).map(|number| self.flow(number)).collect();
        measured(|| {
            for flow in flows {
                black_box(table.insert(flow, self.now).is_ok());
            }
        });
        Some(KEYS)
    }

    fn remove(&self) -> Option<u64> {
        measured(|| {
            for key in &self.known {
                black_box(self.table.remove(key).is_some());
            }
        });
        Some(KEYS)
    }

    /// Reaps all flows, whenever so many more have come due.
    fn reap(&self, due: u64) -> Option<u64> {
        measured(|| {
            for number in (0..FLOWS).step_by(due as usize) {
                let now = self.pace.time(number + due - 1) + self.pace.timeout();
                black_box(self.table.reap(now, Budget::UNLIMITED).expired);
            }
        });
        Some(FLOWS)
    }
}

/// As [`Bench::run`], for a peer. A batch hands out nothing that counts, so both kinds of batches are one.
fn run_peer<S: Subject>(operation: &str) -> Option<u64> {
    if S::cannot(Workload::LookupHit).is_some() {
        return None;
    }
    let (peer, pace) = (S::new(FLOWS as usize, 2 * FLOWS as usize), Pace::of(FLOWS as usize));
    peer.enter();
    (0..FLOWS).for_each(|number| peer.insert(key(number), pace.timeout(), pace.time(number)));
    let known: Vec<Key> = (FLOWS - KEYS..FLOWS).map(key).collect();
    let unknown: Vec<Key> = (FLOWS..FLOWS + KEYS).map(key).collect();
    let now = pace.time(FLOWS);
    let insert = |peer: &S| {
        measured(|| unknown.iter().for_each(|key| peer.insert(*key, pace.timeout(), now)));
        Some(KEYS)
    };
    let batches = |keys: &[Key]| {
        measured(|| {
            for keys in keys.chunks(BURST) {
                black_box(peer.hit_batch(keys, now, &mut S::Scratch::default()));
            }
        });
        Some(KEYS)
    };
    let reap = |due: u64| {
        measured(|| {
            for number in (0..FLOWS).step_by(due as usize) {
                black_box(peer.expire(&[], pace.time(number + due - 1) + pace.timeout()));
            }
        });
        Some(FLOWS)
    };
    let operations = match operation {
        "hit" | "borrow" => {
            measured(|| assert!(known.iter().all(|key| peer.hit(key, now))));
            Some(KEYS)
        }
        "hit_batch" | "borrow_batch" => batches(&known),
        "miss" => {
            measured(|| assert!(!unknown.iter().any(|key| peer.find(key, now))));
            Some(KEYS)
        }
        "miss_batch" => batches(&unknown),
        "insert" => insert(&peer),
        "reap_one" => reap(1),
        "reap_16" => reap(16),
        "reap_all" => reap(FLOWS),
        _ => None,
    };
    peer.leave();
    operations
}

/// What callgrind counts.
#[inline(never)]
fn measured(operations: impl FnOnce()) {
    operations();
}
