use std::fs;
use std::time::Duration;

use flow_table_api::{Budget, NewFlow, Table};

use crate::Backend;
use crate::fixture::at;

/// A million flows on top of long-lived ones, each inserted once and never looked up, are gone after one late
/// reap, and the memory in use is back at what it was, within a factor of two (contract C3, C4, R5): by the
/// table's own account, and by that of `meter`, which gives bytes, or nothing where it cannot tell.
///
/// # Panics
///
/// If memory is kept.
pub fn flood_of_a_million<B: Backend>(meter: impl Fn() -> Option<usize>) {
    const LONG_LIVED: u64 = 50_000;
    const FLOOD: u64 = 1_000_000;
    // What an allocator or a table may keep at any size.
    const RESERVE: usize = 1 << 20;

    let table = B::Table::<u64, [u64; 8]>::new((LONG_LIVED + FLOOD) as usize);
    let put = |key: u64, timeout| {
        let flow = NewFlow::new(key, [key; 8]).timeout(timeout);
        drop(table.insert(flow, at(0)).expect("there is room"));
    };
    (0..LONG_LIVED).for_each(|key| put(key, Duration::MAX));
    let before = (table.memory(), meter());
    (LONG_LIVED..LONG_LIVED + FLOOD).for_each(|key| put(key, Duration::from_secs(10)));
    let full = (table.memory(), meter());
    let report = table.reap(at(1_000_000), Budget::UNLIMITED);
    let after = (table.memory(), meter());

    assert_eq!((report.expired, report.more), (FLOOD as usize, false));
    assert_eq!((table.len(), table.stats().dead_slots), (LONG_LIVED as usize, 0));
    let told = format!("table and meter: {before:?} bytes before the flood, {full:?} in it, {after:?} after it");
    assert!(full.0 > 2 * before.0 + RESERVE && after.0 <= 2 * before.0 + RESERVE, "{told}");
    if let (Some(before), Some(full), Some(after)) = (before.1, full.1, after.1) {
        assert!(full > 2 * before + RESERVE && after <= 2 * before + RESERVE, "{told}");
    }
    assert!((0..LONG_LIVED).all(|key| table.lookup(&key, at(1_000_000)).is_some()));
}

/// The physical memory that this process has, in bytes, where the system tells it in `/proc`.
pub fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Makes one test, of memory with a million flows: see [`flood_of_a_million`]. It must be the only test of its
/// file under
/// `tests/`, as others would use memory as well.
///
/// The meter is the process's [resident size](resident), if none is given. A backend that takes each flow from the
/// global allocator cannot promise what that does with memory given back (that of glibc keeps what lies below any
/// live allocation); its meter is a counting allocator.
#[macro_export]
macro_rules! flood_test {
    ($($table:ident)::+) => {
        $crate::flood_test!($($table)::+, $crate::resident);
    };
    ($($table:ident)::+, $meter:expr) => {
        #[test]
        fn a_million_flows_give_their_memory_back() {
            struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)::+<K, V>;
            }

            $crate::flood_of_a_million::<UnderTest>($meter);
        }
    };
}
