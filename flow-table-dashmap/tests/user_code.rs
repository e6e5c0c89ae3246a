//! Keys and values whose code panics or calls the table: where this backend runs that code, and what it leaves
//! behind.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use flow_table_dashmap::flow_table_api::{
    Budget, Burst, Flow, FlowRef, NewFlow, OnExpiry, Status, Table, Timestamp, WeakFlowRef,
};
use flow_table_dashmap::{FlowHandle, FlowTable};

/// The calls of a key that can panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Hash,
    Eq,
    Clone,
}

thread_local! {
    /// The call that panics, and the number of calls of its kind before.
    static FUSE: Cell<Option<(Call, usize)>> = const { Cell::new(None) };
}

fn burn(call: Call) {
    FUSE.with(|fuse| match fuse.get() {
        Some((kind, 0)) if kind == call => {
            fuse.set(None);
            panic!("{call:?} of a key");
        }
        Some((kind, left)) if kind == call => fuse.set(Some((kind, left - 1))),
        _ => {}
    });
}

/// Keys that all have the same hash, so that each is compared with all others.
#[derive(Debug)]
struct Fragile(u64);

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn(Call::Hash);
        state.write_u64(0);
    }
}

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        burn(Call::Eq);
        self.0 == other.0
    }
}

impl Eq for Fragile {}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        burn(Call::Clone);
        Self(self.0)
    }
}

type Flows = FlowTable<Fragile, Arc<()>>;
type Handle = FlowHandle<Fragile, Arc<()>>;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn flow(key: u64, reply: u64, value: &Arc<()>) -> NewFlow<Fragile, Arc<()>> {
    NewFlow::new(Fragile(key), Arc::clone(value)).reply(Fragile(reply)).timeout(Duration::from_secs(10))
}

/// A table with six flows of two keys, 10 and 11 expired and waiting, and the handles to them.
fn prepared(value: &Arc<()>) -> (Flows, Vec<Handle>) {
    let table = Flows::new(6);
    let insert = |key| table.insert(flow(key, key + 100, value), at(key % 10)).expect("there is room").flow;
    let held: Vec<_> = [10, 11, 2, 3, 4, 5].map(insert).into();
    assert!(held[..2].iter().all(|flow| table.lookup(flow.key(), at(11)).is_some()), "expired, but held");
    (table, held)
}

/// Panics in each call of each kind that `act` makes, one after the other, and checks what is left.
fn panic_everywhere(name: &str, act: impl Fn(&Flows, &[Handle])) {
    for call in [Call::Hash, Call::Eq, Call::Clone] {
        for nth in 0.. {
            let value = Arc::new(());
            let (table, held) = prepared(&value);
            FUSE.with(|fuse| fuse.set(Some((call, nth))));
            let survived = catch_unwind(AssertUnwindSafe(|| act(&table, &held))).is_ok();
            FUSE.with(|fuse| fuse.set(None));
            let stage = format!("{name}, panic in {call:?} number {nth}");
            assert_consistent(&stage, &table, &held, survived);
            drop((held, table));
            assert_eq!(Arc::strong_count(&value), 1, "{stage}: a value leaked");
            if survived {
                break;
            }
        }
    }
}

fn assert_consistent(stage: &str, table: &Flows, held: &[Handle], survived: bool) {
    let active = table.snapshot();
    for flow in &active {
        for key in [Some(flow.key()), flow.reply_key()].into_iter().flatten() {
            assert_eq!(table.lookup(key, at(11)).as_ref(), Some(flow), "{stage}: {key:?} is lost");
        }
    }
    if !survived {
        assert_eq!(active.len(), 4, "{stage}: a call that panicked changed something");
        assert!(held[2..].iter().all(|flow| flow.status() == Status::Active), "{stage}");
        assert_eq!(table.len(), 6, "{stage}");
    }
    let stats = table.stats();
    assert_eq!(stats.inserts - stats.ended.total(), active.len() as u64, "{stage}: {stats:?}");
    drop(active);
    // The table continues as if nothing had happened.
    table.reap(at(11), Budget::UNLIMITED);
    let value = Arc::new(());
    let fresh = table.insert(flow(50, 51, &value), at(11)).unwrap_or_else(|error| panic!("{stage}: {error}"));
    assert_eq!(table.lookup(&Fragile(51), at(11)), Some(fresh.flow), "{stage}");
    assert_eq!(table.retain(|_| false), table.snapshot().len() + table.stats().ended.removed as usize, "{stage}");
    table.reap(at(11), Budget::UNLIMITED);
    assert_eq!(table.len(), 0, "{stage}: flows are counted that are not there");
}

#[test]
fn a_key_may_panic_at_any_call_of_an_insertion() {
    let value = Arc::new(());
    panic_everywhere("insert, new", |table, _| drop(table.insert(flow(20, 21, &value), at(11))));
    panic_everywhere("insert, replacing", |table, _| drop(table.insert(flow(2, 20, &value), at(5))));
    panic_everywhere("insert, replacing both keys", |table, _| drop(table.insert(flow(102, 2, &value), at(5))));
    panic_everywhere("insert, over an ended one", |table, _| drop(table.insert(flow(110, 20, &value), at(11))));
    panic_everywhere("insert, conflict", |table, _| drop(table.insert(flow(20, 3, &value), at(5))));
    panic_everywhere("insert_if_absent", |table, _| drop(table.insert_if_absent(flow(20, 2, &value), at(5))));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_key_may_panic_at_any_other_call() {
    panic_everywhere("lookup", |table, _| drop(table.lookup(&Fragile(103), at(5))));
    panic_everywhere("remove", |table, _| drop(table.remove(&Fragile(20))));
    panic_everywhere("reinsert", |table, held| drop(table.reinsert(&held[0], at(11))));
    panic_everywhere("reap, cancel, shrink", |table, held| {
        held.last().map(|flow| flow.cancel());
        table.shrink_to_fit();
        table.reap(at(0), Budget::flows(0));
    });
}

/// A value whose drop uses the table that it was in, and inserts a successor.
struct Meddler {
    table: Weak<FlowTable<u64, Self>>,
    serial: u64,
    /// The serial numbers of those that have ended, in order.
    ended: Arc<Mutex<Vec<u64>>>,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.ended.lock().expect("not poisoned").push(self.serial);
        let Some(table) = self.table.upgrade() else { return };
        for key in 0..10 {
            drop(table.lookup(&key, at(0)));
        }
        table.reap(at(0), Budget::UNLIMITED);
        drop((table.remove(&7), table.snapshot(), table.stats()));
        if self.serial < 100 {
            let (weak, ended) = (Weak::clone(&self.table), Arc::clone(&self.ended));
            let successor = Self { table: weak, serial: self.serial + 100, ended };
            drop(table.insert(NewFlow::new(8, successor).reply(9), at(0)));
        }
    }
}

#[test]
fn the_end_of_a_value_may_use_the_table() {
    type End = fn(&FlowTable<u64, Meddler>, NewFlow<u64, Meddler>);
    let ends: [End; 7] = [
        |table, _| drop(table.remove(&1)),
        |table, _| assert!(table.lookup(&1, at(0)).is_some_and(|flow| table.remove_flow(&flow) == Ok(true))),
        |table, _| assert!(table.retain(|_| false) > 0),
        |table, _| assert!(table.reap(at(10), Budget::UNLIMITED).expired > 0),
        |table, _| {
            assert!(table.lookup(&1, at(0)).is_some_and(|flow| flow.cancel()));
            assert_eq!(table.reap(at(0), Budget::UNLIMITED).cancelled, 1);
        },
        |table, new| drop(table.insert(new, at(0))),
        |table, new| {
            let kept = table.lookup(&1, at(10));
            drop(table.insert(new, at(10)));
            table.reap(at(10), Budget::UNLIMITED);
            drop(kept);
        },
    ];
    for (stage, end) in ends.into_iter().enumerate() {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let table = Arc::new(FlowTable::new(100));
        let new = |serial| {
            let value = Meddler { table: Arc::downgrade(&table), serial, ended: Arc::clone(&ended) };
            NewFlow::new(1, value).reply(2).timeout(Duration::from_secs(10))
        };
        drop(table.insert(new(1), at(0)));
        let bystander = Meddler { table: Weak::new(), serial: 3, ended: Arc::clone(&ended) };
        drop(table.insert(NewFlow::new(7, bystander).timeout(Duration::from_secs(10)), at(0)));
        end(&table, new(2));
        assert!(ended.lock().expect("not poisoned").contains(&1), "end {stage}: still held");
        assert!(table.lookup(&8, at(0)).is_some_and(|flow| flow.value().serial > 100), "end {stage}");
        drop(table);
        let mut ended = std::mem::take(&mut *ended.lock().expect("not poisoned"));
        ended.sort_unstable();
        let once = ended.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(once && ended.contains(&3), "end {stage}: {ended:?}");
    }
}

/// A value that panics when dropped.
struct Bomb(Option<&'static OnceLock<()>>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.is_some_and(|fuse| fuse.set(()).is_ok()) {
            panic!("a value");
        }
    }
}

#[test]
fn a_value_may_panic_at_its_end() {
    type Bombs = FlowTable<u64, Bomb>;
    let ends: [fn(&Bombs); 5] = [
        |table| drop(table.remove(&1)),
        |table| drop(table.insert(NewFlow::new(1, Bomb(None)).reply(2), at(0))),
        |table| assert_eq!(table.retain(|_| false), 3),
        |table| assert_eq!(table.reap(at(10), Budget::UNLIMITED).expired, 3),
        |table| {
            let burst = table.burst(at(0));
            assert!(burst.get(&1).is_some_and(|flow| flow.is_live(at(0))));
            drop(table.remove(&1));
        },
    ];
    let new = |key, fuse| NewFlow::new(key, Bomb(fuse)).reply(key + 1).timeout(Duration::from_secs(10));
    for (stage, end) in ends.into_iter().enumerate() {
        let fuse: &'static OnceLock<()> = Box::leak(Box::default());
        let table = Bombs::new(10);
        for key in [5, 1, 3] {
            drop(table.insert(new(key, (key == 1).then_some(fuse)), at(0)));
        }
        assert!(catch_unwind(AssertUnwindSafe(|| end(&table))).is_err(), "end {stage}");
        let found = [1, 2].map(|key| table.lookup(&key, at(0)).is_some());
        assert_eq!(found, [stage == 1; 2], "end {stage}");
        drop(table.insert(new(1, None), at(0)));
        let stats = table.stats();
        assert_eq!(stats.inserts - stats.ended.total(), table.snapshot().len() as u64, "end {stage}: {stats:?}");
        table.reap(at(10), Budget::UNLIMITED);
        assert_eq!(table.len(), 0, "end {stage}");
    }
}

#[test]
fn a_value_may_panic_at_the_end_of_the_table() {
    let fuse: &'static OnceLock<()> = Box::leak(Box::default());
    let table = FlowTable::new(10);
    let held = (0..5).map(|key| table.insert(NewFlow::new(key, Bomb((key == 1).then_some(fuse))), at(0)));
    let held: Vec<_> = held.map(|inserted| inserted.expect("room").flow.downgrade()).collect();
    let kept = held[4].upgrade().expect("live");
    assert!(catch_unwind(AssertUnwindSafe(|| drop(table))).is_err());
    assert_eq!(kept.status(), Status::Detached);
    assert!(held[..4].iter().all(|flow| flow.upgrade().is_none()), "the others were dropped too");
}

thread_local! {
    /// The number of keys that are dropped before one panics.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A key that may panic as it is dropped.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Mortal(u64);

impl Drop for Mortal {
    fn drop(&mut self) {
        let left = LEFT.take();
        LEFT.set(left.and_then(|left| left.checked_sub(1)));
        assert_ne!(left, Some(0), "a key's end");
    }
}

#[test]
fn a_key_that_panics_at_its_end_keeps_no_ended_flow_from_whoever_reaps() {
    for nth in 0.. {
        let table = FlowTable::<Mortal, u64>::new(8);
        for key in 0..8 {
            let flow = NewFlow::new(Mortal(key), key).reply(Mortal(100 + key)).on_expiry(OnExpiry::Remove);
            drop(table.insert(flow.timeout(Duration::from_secs(1)), at(0)).expect("there is room"));
        }
        let mut handed_over = Vec::new();
        let mut reap = || table.reap_with(at(1), Budget::UNLIMITED, |ended| handed_over.push(*ended.flow.value()));
        LEFT.set(Some(nth));
        let survived = catch_unwind(AssertUnwindSafe(&mut reap)).is_ok();
        LEFT.set(None);
        reap();
        handed_over.sort_unstable();
        assert!(handed_over.into_iter().eq(0..8), "panic in drop {nth} of a key");
        assert_eq!(table.len(), 0);
        if survived {
            break;
        }
    }
}
