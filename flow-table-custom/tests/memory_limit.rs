//! A process that may have no more memory: insertions are refused with an error, nothing is lost, and the table is
//! as before once there is memory again.

#![cfg(all(target_os = "linux", not(any(miri, flow_table_portable))))]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Budget, Flow, InsertError, NewFlow, Table, Timestamp};
use flow_table_custom::FlowTable;

/// A large value, with a part of a witness that counts how many there are.
type Payload = (Arc<()>, [u64; 64]);
type Flows = FlowTable<u64, Payload>;

const NOW: Timestamp = Timestamp::ZERO;
/// When flows inserted before have come up, and are live because they were refreshed.
const LATER: Timestamp = Timestamp::from_secs(210);
/// KiB of addresses that the process may use, its program and libraries included.
const LIMIT: usize = 128 << 10;
/// Bytes in which the rest is taken.
const PIECE: usize = 64 << 10;

fn flow(key: u64, witness: &Arc<()>) -> NewFlow<u64, Payload> {
    NewFlow::new(key, (Arc::clone(witness), [key; 64]))
}

/// Inserts flows from `first` on until there is no memory; the first key refused.
fn fill(table: &Flows, first: u64, witness: &Arc<()>) -> u64 {
    for key in first.. {
        match table.insert(flow(key, witness).timeout(Duration::from_secs(200)), NOW) {
            Ok(inserted) => assert!(inserted.replaced.is_none()),
            Err(InsertError::OutOfMemory { flow }) => {
                assert_eq!((*flow.key(), flow.value().1), (key, [key; 64]), "another flow came back");
                return key;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    unreachable!("memory is limited")
}

/// Takes memory until there is none, and gives a little back to the allocator for the lists of an operation.
fn all_that_is_left() -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity((LIMIT << 10) / PIECE);
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            pieces.pop();
            return pieces;
        }
        pieces.push(piece);
    }
}

#[test]
#[ignore = "needs a limit of memory, and is run by the other test, which sets one"]
fn under_a_limit() {
    let witness = Arc::new(());
    let table = Flows::new(100_000_000);
    let full = fill(&table, 0, &witness);
    assert!(full > 50_000, "no room for more than {full} flows");
    for _ in 0..1_000 {
        fill(&table, full, &witness);
    }
    let holds = |keys: std::ops::Range<u64>, now| {
        assert!(keys.clone().all(|key| table.lookup(&key, now).is_some_and(|flow| flow.value().1 == [key; 64])));
        assert_eq!((table.len(), Arc::strong_count(&witness) - 1), (keys.clone().count(), keys.count()));
    };
    holds(0..full, NOW);
    // Everything is refreshed, so a reap moves all of it in the timer queue, with hardly any memory left.
    table.for_each(|flow| assert!(flow.refresh(Timestamp::from_secs(50))));
    let report = table.reap(LATER, Budget::UNLIMITED);
    assert_eq!((report.expired, report.rescheduled > 0), (0, true));
    holds(0..full, LATER);
    // What goes makes room for as much.
    assert!((0..full / 2).all(|key| table.remove(&key).is_some()));
    holds(full / 2..full, LATER);
    let insert = |key: u64, timeout| match table.insert(flow(key, &witness).timeout(timeout), LATER) {
        Ok(_) => true,
        Err(InsertError::OutOfMemory { .. }) => false,
        Err(other) => panic!("{other:?}"),
    };
    // Others have taken all that is left, to the last 64 KiB. There are entries and slots, but no blocks for
    // timers.
    let spread = |key: u64| {
        Duration::from_millis(if key.is_multiple_of(2) { 1 + 37 * key % 2_000 } else { 1_000 * (1 + key % 500) })
    };
    assert!((0..1_000).all(|key| insert(key, spread(key))), "there is memory");
    let others = all_that_is_left();
    let refused = (1_000..full / 2).find(|&key| !insert(key, spread(key))).expect("no memory was needed");
    drop(others);
    assert!((refused..full / 2).all(|key| insert(key, Duration::MAX)), "there is memory again");
    holds(0..full, LATER);
    assert_eq!(table.reap(Timestamp::MAX, Budget::UNLIMITED).expired as u64, full);
    assert_eq!((table.len(), Arc::strong_count(&witness)), (0, 1));
}

#[test]
fn a_limit_of_memory_is_an_error() {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {LIMIT} && exec \"$0\" --ignored --exact under_a_limit --nocapture")])
        .arg(std::env::current_exe().expect("a test knows its program"))
        // The allocator of glibc reserves 64 MiB of addresses for each thread otherwise.
        .env("MALLOC_ARENA_MAX", "1")
        // And it maps the pieces, so that they go back when they are dropped.
        .env("MALLOC_MMAP_THRESHOLD_", PIECE.to_string())
        .output()
        .expect("there is a shell");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("1 passed"), "{told}");
}
