//! Runs one operation of one backend many times, for callgrind to count instructions: see
//! `benches/instructions.sh`. Prints how many operations there were.
//!
//! Everything is repeatable: fixed hash seed, fixed keys, one thread. Callgrind collects only in [`measured`].
//! Keys and flows are made before that.

use std::hint::black_box;
use std::process::ExitCode;

use flow_table::{Budget, Burst, Flow, NewFlow, Table, TableConfig, Timestamp, custom, dashmap};
use flow_table_benches::data::{BURST, Key, Payload, key, payload};
use flow_table_benches::lane::Pace;

/// Flows in the table.
const FLOWS: u64 = 1 << 14;
/// Keys that are looked up, inserted or removed.
const KEYS: u64 = 1 << 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let operations = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["dashmap", operation] => Bench::<dashmap::FlowTable<Key, Payload>>::new().run(operation),
        ["custom", operation] => Bench::<custom::FlowTable<Key, Payload>>::new().run(operation),
        _ => None,
    };
    if let Some(operations) = operations {
        println!("{operations}");
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: instructions dashmap|custom OPERATION (see benches/instructions.limits)");
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

/// What callgrind counts.
#[inline(never)]
fn measured(operations: impl FnOnce()) {
    operations();
}
