//! The whole table at full size: 8 M flows in a release build, as many as a debug build has patience for
//! otherwise.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use flow_table_api::{Budget, Flow, NewFlow, Table, Timestamp};
use flow_table_custom::FlowTable;

type Key = [u64; 5];
type Payload = [u64; 8];

const FLOWS: u64 = if cfg!(debug_assertions) { 1 << 19 } else { 8 << 20 };
/// Flows that come and go while the others are looked up.
const GUESTS: u64 = FLOWS / 16;
const SECOND: Timestamp = Timestamp::from_secs(1);

/// What a program may hold besides the table and keep when it goes: threads' stacks, the test harness, the reserve
/// of the pools.
#[cfg(target_os = "linux")]
const SLACK: usize = 32 << 20;

fn flow(id: u64, timeout: Duration) -> NewFlow<Key, Payload> {
    NewFlow::new(key(id), [id; 8]).timeout(timeout)
}

fn key(id: u64) -> Key {
    [id, !id, id.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0, id.rotate_left(17)]
}

/// Resident bytes of this process.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    flow_table_conformance::resident().expect("Linux tells")
}

#[test]
fn all_in_all_found_all_gone() {
    #[cfg(target_os = "linux")]
    let resident_before = resident();
    let table = FlowTable::<Key, Payload>::new((FLOWS + GUESTS) as usize);
    let empty = table.memory();
    for id in 0..FLOWS {
        drop(table.insert(flow(id, Duration::from_secs(3600)), SECOND).expect("there is room"));
    }
    assert_eq!(table.len() as u64, FLOWS);
    let per_flow = (table.memory() - empty) as f64 / FLOWS as f64;
    // What is kept in whole pages weighs more in a small table.
    let beyond = per_flow - (size_of::<Key>() + size_of::<Payload>() + size_of::<u64>()) as f64;
    assert!(beyond <= if FLOWS >= 1 << 20 { 42.0 } else { 54.0 }, "{beyond} bytes per flow beyond the flow's own");

    let (done, expired) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|reader| {
                let table = &table;
                scope.spawn(move || {
                    let (mut found, mut handles) = (0, Vec::new());
                    for batch in (reader..FLOWS / 32).step_by(2) {
                        let ids = batch * 32..batch * 32 + 32;
                        let keys: Vec<Key> = ids.clone().map(key).collect();
                        table.lookup_batch(&keys, SECOND, &mut handles);
                        for (handle, id) in handles.iter().zip(ids) {
                            let handle = handle.as_ref().expect("inserted, and not due");
                            assert_eq!((handle.key(), handle.value()), (&key(id), &[id; 8]));
                            assert!(handle.refresh(SECOND));
                            found += 1;
                        }
                    }
                    found
                })
            })
            .collect();
        scope.spawn(|| {
            let mut round = 0;
            while !done.load(Ordering::Acquire) || round == 0 {
                let now = SECOND + Duration::from_secs(round);
                for id in FLOWS..FLOWS + GUESTS {
                    drop(table.insert(flow(id, Duration::from_secs(1)), now).expect("there is room"));
                }
                let report = table.reap(now + Duration::from_secs(1), Budget::UNLIMITED);
                assert_eq!((report.expired as u64, report.more), (GUESTS, false));
                expired.fetch_add(report.expired, Ordering::Relaxed);
                round += 1;
            }
        });
        let found: u64 = readers.into_iter().map(|reader| reader.join().expect("no look-up failed")).sum();
        assert_eq!(found, FLOWS);
        done.store(true, Ordering::Release);
    });
    let (guests, stats) = (expired.into_inner() as u64, table.stats());
    assert_eq!((stats.inserts, stats.ended.expired), (FLOWS + guests, guests));

    let report = table.reap(Timestamp::MAX, Budget::UNLIMITED);
    assert_eq!((report.expired as u64, table.len()), (FLOWS, 0));
    assert_eq!(table.stats().ended.expired, FLOWS + guests);
    // The reserve, and a bucket for each segment that was ever used.
    let reserve = (1 << 20) + (1 << 19);
    assert!(table.memory() <= 2 * empty + reserve, "{empty} bytes when empty, {} after all", table.memory());
    #[cfg(target_os = "linux")]
    assert!(
        resident() <= resident_before + SLACK,
        "{resident_before} bytes resident before, {} after",
        resident()
    );
}
