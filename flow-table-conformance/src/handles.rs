use std::sync::atomic::{AtomicUsize, Ordering};

use flow_table_api::{Flow, FlowRef, NewFlow, Status, Table, WeakFlowRef};

use crate::Backend;
use crate::fixture::{at, race};
use crate::sync::{Arc, Mutex};

/// A value that counts its end.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        // Relaxed: read after the threads that count have been joined.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A million handles outlive their table, and several threads drop them afterwards. Flows can be read until the
/// end, each value is dropped exactly once, and then the memory is free according to `meter` (contract V5, V1,
/// C3).
///
/// # Panics
///
/// Panics if a flow or memory is lost.
pub fn a_million_handles_outlive_the_table<B: Backend>(meter: impl Fn() -> Option<usize>) {
    const FLOWS: usize = 1_000_000;
    // What an allocator, a thread and the harness may keep; the flows take several times as much.
    const RESERVE: usize = 16 << 20;

    let dropped = Arc::new(AtomicUsize::new(0));
    // Relaxed: see `Counted`.
    let count = || dropped.load(Ordering::Relaxed);
    let mut weak = Vec::with_capacity(FLOWS / 1_000 + 1);
    let before = meter();
    let table = B::Table::<u64, Counted>::new(FLOWS);
    let insert = |key| {
        let flow = NewFlow::new(key, Counted(Arc::clone(&dropped)));
        table.insert(flow, at(0)).expect("there is room").flow
    };
    let mut handles: Vec<_> = (0..FLOWS as u64).map(insert).collect();
    let full = meter();
    weak.extend(handles.iter().step_by(1_000).map(FlowRef::downgrade));
    drop(table);
    assert_eq!(count(), 0, "values that handles hold were dropped with the table");
    for (key, handle) in (0..).zip(&handles) {
        assert_eq!((*handle.key(), handle.status()), (key, Status::Detached));
    }
    assert!(weak.iter().all(|weak| weak.upgrade().is_some()));

    let shares = [handles.split_off(FLOWS / 2), handles].map(|share| Mutex::new(Some(share)));
    race(2, |thread| drop(shares[thread].lock().expect("no panic").take()));
    assert_eq!(count(), FLOWS, "values dropped, of {FLOWS}");
    assert!(weak.iter().all(|weak| weak.upgrade().is_none()));
    weak.clear();
    if let (Some(before), Some(full), Some(after)) = (before, full, meter()) {
        let told = format!("{before} bytes before the flows, {full} with them, {after} after them");
        assert!(full > before + 2 * RESERVE && after <= before + RESERVE, "{told}");
    }
}

/// Makes one test, of a million handles that outlive their table: see [`a_million_handles_outlive_the_table`]. It
/// must be the only test of its file under `tests/`, and takes a meter as [`flood_test!`](crate::flood_test) does.
#[macro_export]
macro_rules! handles_test {
    ($($table:ident)::+) => {
        $crate::handles_test!($($table)::+, $crate::resident);
    };
    ($($table:ident)::+, $meter:expr) => {
        #[test]
        fn a_million_handles_outlive_the_table() {
            struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)::+<K, V>;
            }

            $crate::a_million_handles_outlive_the_table::<UnderTest>($meter);
        }
    };
}
