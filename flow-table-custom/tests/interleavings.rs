//! The whole table under random schedules: with `--cfg flow_table_shuttle` shuttle chooses which thread goes on at
//! every access to an atomic and at every lock (`scripts/loom` runs that too); else these are ordinary tests with
//! threads.
//!
//! Keys and values check themselves: a value is its key's, and counts its drops.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flow_table_custom::api::{
    Admission, Budget, Burst, Flow, FlowRef, FlowSpec, NewFlow, Status, Table, TableConfig, Timestamp, WeakFlowRef,
};
use flow_table_custom::{FlowTable, StrongRef};

#[cfg(flow_table_shuttle)]
mod schedule {
    pub(super) use shuttle::thread::spawn;

    /// Threads that are overtaken in a schedule with priorities: races of two or three steps.
    const DEPTH: usize = 3;

    /// Runs `body` under so many schedules with random switches, and as many with random priorities, where one
    /// thread goes on for long.
    pub(super) fn explore(body: impl Fn() + Send + Sync + 'static) {
        let schedules =
            std::env::var("FLOW_TABLE_SCHEDULES").map_or(500, |count| count.parse().expect("a number"));
        let body = std::sync::Arc::new(body);
        let again = std::sync::Arc::clone(&body);
        shuttle::check_random(move || body(), schedules);
        shuttle::check_pct(move || again(), schedules, DEPTH);
    }
}

#[cfg(not(flow_table_shuttle))]
mod schedule {
    pub(super) use std::thread::spawn;

    pub(super) fn explore(body: impl Fn() + Send + Sync + 'static) {
        (0..20).for_each(|_| body());
    }
}

use schedule::{explore, spawn};

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// Made and dropped values.
#[derive(Clone, Default)]
struct Census(Arc<[AtomicUsize; 2]>);

impl Census {
    fn value(&self, key: u32) -> Value {
        self.0[0].fetch_add(1, Ordering::SeqCst);
        Value { key, census: self.clone() }
    }

    fn alive(&self) -> usize {
        self.0[0].load(Ordering::SeqCst) - self.0[1].load(Ordering::SeqCst)
    }
}

struct Value {
    key: u32,
    census: Census,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.census.0[1].fetch_add(1, Ordering::SeqCst);
    }
}

type Flows = FlowTable<u32, Value>;
type Handle = StrongRef<u32, Value>;

fn table(capacity: usize) -> (Arc<Flows>, Census) {
    (Arc::new(Flows::with_config(TableConfig::new(capacity).shards(1).hash_seed(7))), Census::default())
}

fn flow(census: &Census, key: u32) -> NewFlow<u32, Value> {
    NewFlow::new(key, census.value(key)).timeout(Duration::from_secs(10))
}

fn check(flow: &impl Flow<u32, Value>, key: u32) {
    assert!(*flow.key() == key || flow.reply_key() == Some(&key), "another key's flow");
    assert_eq!(flow.value().key, *flow.key(), "another flow's value");
}

/// Everything that is left goes with the table.
fn all_gone(table: Arc<Flows>, census: &Census) {
    drop(Arc::into_inner(table).expect("all threads have ended"));
    assert_eq!(census.alive(), 0, "values leaked");
}

#[test]
fn one_of_two_first_packets_installs() {
    explore(|| {
        let (table, census) = table(100);
        let packet = || {
            let (table, census) = (Arc::clone(&table), census.clone());
            spawn(move || {
                let admission = {
                    let spec = FlowSpec::new(1).timeout(Duration::from_secs(10));
                    table.get_or_insert_with(spec, at(0), || census.value(1)).unwrap()
                };
                (admission.is_inserted(), admission.into_flow())
            })
        };
        let [first, second] = [packet(), packet()].map(|packet| packet.join().unwrap());
        assert!(first.0 != second.0 && first.1 == second.1);
        drop((first, second));
        all_gone(table, &census);
    });
}

#[test]
fn a_replaced_key_is_never_missed() {
    explore(|| {
        let (table, census) = table(100);
        let insert = |table: &Flows, census: &Census| table.insert(flow(census, 1).reply(2), at(0)).unwrap().flow;
        drop(insert(&table, &census));
        let reader = spawn({
            let table = Arc::clone(&table);
            move || {
                for key in [1, 2, 1] {
                    check(&*table.lookup(&key, at(1)).expect("missed"), key);
                }
            }
        });
        drop(insert(&table, &census));
        reader.join().unwrap();
        assert_eq!(table.len(), 1);
        all_gone(table, &census);
    });
}

#[test]
fn growth_hides_nothing() {
    explore(|| {
        let (table, census) = table(100);
        let insert = |key| drop(table.insert(flow(&census, key), at(0)).unwrap());
        (0..8).for_each(insert);
        let reader = spawn({
            let table = Arc::clone(&table);
            move || (0..3).for_each(|_| check(&*table.lookup(&0, at(1)).expect("missed"), 0))
        });
        (8..24).for_each(insert);
        reader.join().unwrap();
        all_gone(table, &census);
    });
}

#[test]
fn each_end_is_counted_and_handed_over_once() {
    explore(|| {
        let (table, census) = table(100);
        let handle = table.insert(flow(&census, 1), at(0)).unwrap().flow;
        let canceller = spawn({
            let handle = handle.clone();
            move || handle.cancel()
        });
        let reaper = spawn({
            let table = Arc::clone(&table);
            move || {
                let mut ended = 0;
                table.reap_with(at(10), Budget::UNLIMITED, |_| ended += 1);
                ended
            }
        });
        let reinserted = usize::from(table.reinsert(&handle, at(10)).is_ok());
        let cancelled = canceller.join().unwrap();
        let mut handed_over = reaper.join().unwrap();
        assert!(!cancelled || handle.status() == Status::Cancelled, "cancelled is final");
        table.reap_with(at(1_000), Budget::UNLIMITED, |ended| {
            assert_eq!(ended.flow, handle);
            handed_over += 1;
        });
        let ended = table.stats().ended;
        assert_eq!(ended.cancelled, u64::from(cancelled));
        assert_eq!(ended.total() as usize, 1 + reinserted, "{ended:?}");
        assert!((1..=1 + reinserted).contains(&handed_over));
        assert!(table.is_empty() && table.next_deadline().is_none());
        drop(handle);
        all_gone(table, &census);
    });
}

#[test]
fn what_a_burst_borrows_stays() {
    explore(|| {
        let (table, census) = table(100);
        let insert = |key| drop(table.insert(flow(&census, key), at(0)).unwrap());
        [1, 2].into_iter().for_each(insert);
        let packets = || {
            let table = Arc::clone(&table);
            spawn(move || {
                let burst = table.burst(at(1));
                for key in [1, 2, 1] {
                    if let Some(borrowed) = burst.get(&key) {
                        check(borrowed.flow(), key);
                        assert!(burst.handle(borrowed).is_none_or(|handle| *handle.key() == key));
                        check(borrowed.flow(), key);
                    }
                }
            })
        };
        let bursts = [packets(), packets()];
        drop(table.remove(&1));
        insert(2);
        insert(3);
        bursts.into_iter().for_each(|burst| burst.join().unwrap());
        assert_eq!(census.alive(), 2, "ended flows are gone once no burst is open");
        all_gone(table, &census);
    });
}

#[test]
fn handles_outlive_the_table() {
    explore(|| {
        let (table, census) = table(100);
        let handles = [1, 2, 3].map(|key| table.insert(flow(&census, key).reply(key + 10), at(0)).unwrap().flow);
        let let_go = |handle: Handle| {
            spawn(move || {
                let weak = handle.downgrade();
                handle.cancel();
                drop(handle);
                assert!(weak.upgrade().is_none_or(|flow| flow.status() != Status::Active));
            })
        };
        let threads = handles.map(let_go);
        let burst = table.burst(at(1));
        if let Some(borrowed) = burst.get(&1) {
            check(borrowed.flow(), 1);
        }
        drop(burst);
        drop(Arc::into_inner(table));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(census.alive(), 0, "values leaked");
    });
}

#[test]
fn the_limit_holds_and_room_is_made() {
    explore(|| {
        let (table, census) = table(2);
        [1, 2].into_iter().for_each(|key| drop(table.insert(flow(&census, key), at(0)).unwrap()));
        let insert = |key| {
            let (table, census) = (Arc::clone(&table), census.clone());
            spawn(move || {
                let admission = table.insert_if_absent(flow(&census, key), at(10));
                assert!(table.len() <= 2);
                matches!(admission, Ok(Admission::Inserted(_)))
            })
        };
        let inserted = [insert(3), insert(4)].map(|thread| thread.join().unwrap());
        assert_eq!(inserted, [true, true], "both flows were due");
        assert_eq!(table.len(), 2);
        all_gone(table, &census);
    });
}
