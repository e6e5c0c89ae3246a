//! The memory of a process after a flood in which long-lived flows are sprinkled, and after the one line that
//! makes glibc's allocator give it back to the system: `malloc_trim(0)`.
//!
//! ```text
//! cargo run --release -p flow-table-dashmap --example give_back
//! ```

use std::fs;
use std::time::Duration;

use flow_table_dashmap::FlowTable;
use flow_table_dashmap::flow_table_api::{Budget, NewFlow, Table, Timestamp};

const FLOWS: u64 = 2_000_000;
/// Of so many flows, one lives long.
const NTH: u64 = 100;

fn main() {
    let table = FlowTable::<u64, [u64; 8]>::new(FLOWS as usize);
    for key in 0..FLOWS {
        let timeout = if key % NTH == 0 { Duration::from_secs(3_600) } else { Duration::from_secs(10) };
        drop(table.insert(NewFlow::new(key, [key; 8]).timeout(timeout), Timestamp::ZERO).expect("there is room"));
    }
    tell("full", &table);
    table.reap(Timestamp::from_secs(10), Budget::UNLIMITED);
    tell("reaped", &table);
    give_back();
    tell("trimmed", &table);
}

/// Call it once after a flood, on a thread that may be delayed: it walks the whole heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: it may be called at any time, on any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators decide by themselves. jemalloc and mimalloc, set as the global allocator of the program, give
/// pages back some time after they have become free.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

fn tell(when: &str, table: &FlowTable<u64, [u64; 8]>) {
    let resident = resident().map_or("?".to_owned(), |bytes| (bytes >> 20).to_string());
    println!(
        "{when:<8} {:>9} flows, account {:>4} MiB, resident {resident:>4} MiB",
        table.len(),
        table.memory() >> 20
    );
}

fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? << 10)
}
