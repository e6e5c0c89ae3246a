//! What the table takes from the allocator and returns to it. There is one test, because the allocator counts for
//! the whole process.

use std::alloc::System;
use std::time::Duration;

use cap::Cap;
use flow_table_dashmap::FlowTable;
use flow_table_dashmap::flow_table_api::{Budget, FlowKey, NewFlow, Table, Timestamp};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

type Flows = FlowTable<FlowKey, [u64; 8]>;

const FLOOD: u64 = 200_000;
const LONG_LIVED: u64 = 10_000;
const LATE: Timestamp = Timestamp::from_secs(3_600);

fn key(index: u64) -> FlowKey {
    let port = u16::try_from(index % 60_000).expect("small");
    let host = std::net::Ipv4Addr::from(u32::try_from(index / 60_000).expect("small"));
    let server = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 53);
    FlowKey::v4(std::net::SocketAddrV4::new(host, port), server, 17)
}

fn fill(table: &Flows, keys: std::ops::Range<u64>, timeout: Duration) {
    for index in keys {
        let flow = NewFlow::new(key(index), [index; 8]).timeout(timeout);
        drop(table.insert(flow, Timestamp::from_nanos(index)).expect("there is room"));
    }
}

/// Compares `memory()` with what the table has taken from the allocator since `before` bytes were in use.
fn assert_honest(table: &Flows, before: usize) -> usize {
    let taken = ALLOCATOR.allocated() - before;
    let said = table.memory();
    let close = said.abs_diff(taken) <= taken / 10 + 64 * 1024;
    assert!(close, "memory() says {said} bytes for {} flows, the allocator {taken}", table.len());
    taken
}

#[test]
fn one_late_reap_gives_all_memory_back() {
    let before = ALLOCATOR.allocated();
    let table = Flows::new(FLOOD as usize + LONG_LIVED as usize);
    let empty = assert_honest(&table, before);

    // Flows of one packet each, never looked up again.
    fill(&table, 0..FLOOD, Duration::from_secs(60));
    let full = assert_honest(&table, before);
    let report = table.reap(LATE, Budget::UNLIMITED);
    assert_eq!((report.expired, report.more, table.len()), (FLOOD as usize, false, 0));
    let after = assert_honest(&table, before);
    assert!(after <= empty + 64 * 1024, "{empty} bytes when empty, {full} when full, {after} after");

    // Repeatedly, on top of flows that stay.
    fill(&table, 0..LONG_LIVED, Duration::MAX);
    let long_lived = assert_honest(&table, before);
    for wave in 1..=2 {
        fill(&table, wave * FLOOD..(wave + 1) * FLOOD, Duration::from_secs(60));
        assert_honest(&table, before);
        assert_eq!(table.reap(LATE, Budget::UNLIMITED).expired, FLOOD as usize);
        let after = assert_honest(&table, before);
        assert!(after <= 2 * long_lived, "{long_lived} bytes before the flood, {after} after");
    }
    assert!((0..LONG_LIVED).all(|index| table.lookup(&key(index), LATE).is_some()));

    // A handle that outlives the table keeps its flow and not the table.
    let last = table.lookup(&key(0), LATE);
    drop(table);
    let kept = ALLOCATOR.allocated() - before;
    assert!(kept <= empty + 64 * 1024, "{kept} bytes kept by one handle");
    drop(last);
    let leaked = ALLOCATOR.allocated() - before;
    assert!(leaked < 4 * 1024, "{leaked} bytes leaked");
}
