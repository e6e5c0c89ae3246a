//! An allocator that refuses everything: look-ups, refreshes, removals, expiry and the drops of handles do without
//! it. (The system still gives memory, of which flows, arrays and timers are made.)

#![cfg(not(miri))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::time::Duration;

use flow_table_api::{Budget, Flow, NewFlow, Table, TableConfig, Timestamp};
use flow_table_custom::FlowTable;

/// Refuses the threads that say so. A refusal that is not an error to the caller ends the process.
struct Refusing;

thread_local!(static REFUSED: Cell<bool> = const { Cell::new(false) });

// SAFETY: the system's allocator does the work; whoever is refused gets null, as the trait has it.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller.
        if REFUSED.get() { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by the caller; all blocks are the system's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

const FLOWS: u64 = 100_000;

fn without_memory<R>(body: impl FnOnce() -> R) -> R {
    REFUSED.set(true);
    let result = body();
    REFUSED.set(false);
    result
}

#[test]
fn flows_go_without_memory() {
    // A seed, so that it is known how many tags are the same by chance.
    let config = TableConfig::new(FLOWS as usize).hash_seed(1).shards(8);
    let table = FlowTable::<u64, [u64; 8]>::with_config(config);
    let insert_all = || {
        (0..FLOWS).map(|key| {
            let flow = NewFlow::new(key, [key; 8]).timeout(Duration::from_secs(1 + key % 100));
            let flow = if key.is_multiple_of(3) { flow.reply(FLOWS + key) } else { flow };
            table.insert(flow, Timestamp::ZERO).expect("there is memory").flow
        })
    };
    let expire_all = || table.reap(Timestamp::from_secs(1_000), Budget::UNLIMITED).expired as u64;
    let empty = table.memory();
    let mut held: Vec<_> = insert_all().step_by(7).collect();
    let found_and_ended = without_memory(|| {
        let refresh = |key: &u64| {
            let flow = table.lookup(key, Timestamp::ZERO);
            flow.is_some_and(|flow| flow.refresh(Timestamp::ZERO))
        };
        let found = (0..FLOWS).filter(refresh).count() as u64;
        let removed = (0..FLOWS).step_by(5).filter(|key| table.remove(key).is_some()).count() as u64;
        let ended = removed + expire_all();
        // Every seventh flow: full pages get room, and then they go.
        held.drain(..).for_each(drop);
        (found, ended)
    });
    assert_eq!((found_and_ended, table.len()), ((FLOWS, FLOWS), 0));
    insert_all().for_each(drop);
    assert_eq!(expire_all(), FLOWS);
    assert!(table.memory() < 2 * empty + (1 << 20), "{empty} bytes at first, {} at last", table.memory());
}
