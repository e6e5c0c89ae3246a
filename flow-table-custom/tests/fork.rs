//! A forked process starts with a copy of its parent's memory, and yet its tables have seeds of their own
//! (contract C4).

#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::io::{Read, Write, pipe};
use std::panic::catch_unwind;

use flow_table_custom::FlowTable;
use flow_table_custom::api::{Flow, NewFlow, Table, TableConfig, Timestamp};

/// The order in which a table's flows are visited. It depends on the hash seed and on nothing else.
fn order(config: TableConfig) -> Vec<u8> {
    let table = FlowTable::<u8, ()>::with_config(config.shards(64));
    for key in 0..=u8::MAX {
        assert!(table.insert(NewFlow::new(key, ()), Timestamp::ZERO).is_ok(), "there is room");
    }
    let mut order = Vec::new();
    table.for_each(|flow| order.push(*flow.key()));
    order
}

fn next_order() -> Vec<u8> {
    order(TableConfig::new(256))
}

/// What `next_order` gives in a forked process.
fn forked_order() -> Vec<u8> {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    // SAFETY: the child has this thread only and waits for no other: it makes a table, writes to the pipe and
    // ends. The system's allocator, which it calls, stays usable in a child of a process with threads.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a process");
    if child == 0 {
        let written = catch_unwind(move || writer.write_all(&next_order()).is_ok());
        // SAFETY: ends the process at once; nothing of the parent's that the child has a copy of is run or
        // flushed.
        unsafe { libc::_exit(i32::from(!written.unwrap_or(false))) };
    }
    drop(writer);
    let mut order = Vec::new();
    reader.read_to_end(&mut order).expect("the child's order");
    let mut status = 0;
    // SAFETY: `child` is a child of this process that nobody else waits for, and `status` is this function's own.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((ended, status), (child, 0), "the child has done its part");
    order
}

#[test]
fn the_tables_of_a_forked_process_have_seeds_of_their_own() {
    let seeded = || order(TableConfig::new(256).hash_seed(7));
    assert_eq!(seeded(), seeded(), "one seed is one order");
    // Whatever is drawn once for the process, or once for the thread, is drawn before the fork.
    let before = next_order();
    let (first, second) = (forked_order(), forked_order());
    let orders = [before, first, second, next_order()];
    assert_eq!(HashSet::from(orders.clone()).len(), orders.len(), "two tables have one seed: {orders:?}");
}
