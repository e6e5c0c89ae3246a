//! Tests that keep the cost sheet in IMPLEMENTATION.md true.

use std::time::Duration;

use flow_table_api::{FlowKey, NewFlow, Table, Timestamp};

use crate::FlowTable;
use crate::flows::entry_bytes;
use crate::handle::StrongRef;
use crate::index::{Bucket, SLOTS};

type Key = [u64; 5];
type Payload = [u64; 8];

#[test]
fn small_things_are_small() {
    assert_eq!((size_of::<Bucket>(), align_of::<Bucket>(), SLOTS), (64, 64, 12));
    assert_eq!(size_of::<Option<StrongRef<Key, Payload>>>(), 8);
}

#[test]
fn an_entry_is_whole_lines_and_a_record() {
    assert_eq!(entry_bytes::<Key, Payload>(false), 128 + 12);
    assert_eq!(entry_bytes::<Key, Payload>(true), 192 + 16);
    assert_eq!(entry_bytes::<FlowKey, [u64; 8]>(false), 128 + 12);
    assert_eq!(entry_bytes::<u64, ()>(false), 64 + 12);
}

/// A million flows, and what the table has for each beside key, value and deadline, free pages in reserve
/// included.
#[test]
fn a_million_flows_take_what_the_sheet_says() {
    const FLOWS: u64 = 1_000_000;
    const OWN: usize = size_of::<Key>() + size_of::<Payload>() + size_of::<Timestamp>();
    let table = FlowTable::<Key, Payload>::new(FLOWS as usize);
    for id in 0..FLOWS {
        // Timeouts of one to five minutes: flows stand in many buckets of the wheel.
        let timeout = Duration::from_millis(60_000 + id % 240_000);
        let flow = NewFlow::new([id, 0, 0, 0, id], [id; 8]).timeout(timeout);
        drop(table.insert(flow, Timestamp::from_secs(1)).expect("there is room"));
    }
    let each = table.memory() as f64 / FLOWS as f64 - OWN as f64;
    assert!((24.0..=46.0).contains(&each), "{each} bytes for each flow beside its own {OWN}");
}
