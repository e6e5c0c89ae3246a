use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use flow_table_api::{
    Budget, Burst, Direction, Ended, Flow, FlowRef, InsertError, Status, Table, Timeout, Timestamp,
};

use crate::fixture::{Dice, Fixture, TestKey, at, race, rounds, secs};
use crate::sync::Mutex;
use crate::{Backend, Setup, TestRef, TestValue};

/// Few places for the flows of many threads.
const CAPACITY: usize = 9;

/// The forward keys of flows that never end.
const STAY: Range<u64> = 20..24;

/// Threads that do everything at once in a table with few places: in the end each flow that expired or was
/// cancelled has been handed over exactly once, every value has been dropped, and the counters add up.
pub fn everything_at_once_adds_up<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    let shared = Shared::default();
    all_at_once(&table, &shared, |_, _| {});
    let (stats, handed_over) = (table.stats(), shared.handed_over());
    assert_eq!(handed_over.values().sum::<u64>(), stats.ended.expired + stats.ended.cancelled, "{stats:?}");
    assert!(handed_over.values().all(|&times| times == 1), "handed over more than once: {handed_over:?}");
}

/// The same with flows that are put back after their end, from whichever thread: each end is handed over at most
/// once.
pub fn everything_at_once_with_reinsertion_adds_up<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    let shared = Shared { puts_back: true, ..Shared::default() };
    all_at_once(&table, &shared, |flow, now| {
        drop(table.reinsert(flow, now));
    });
    let (stats, handed_over) = (table.stats(), shared.handed_over());
    assert!(stats.inserts > table.ledger().made() as u64 / 2, "some found room");
    assert!(handed_over.values().sum::<u64>() <= stats.ended.expired + stats.ended.cancelled, "{stats:?}");
}

/// The same while some bursts are forgotten that have borrowed nothing. Nothing waits for them, and in the end the
/// table drops the values that waited.
pub fn everything_at_once_with_forgotten_bursts_goes_on<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    let shared = Shared { forgets: true, ..Shared::default() };
    all_at_once(&table, &shared, |_, _| {});
    let (stats, handed_over) = (table.stats(), shared.handed_over());
    assert_eq!(handed_over.values().sum::<u64>(), stats.ended.expired + stats.ended.cancelled, "{stats:?}");
}

fn all_at_once<B: Backend>(table: &Fixture<B>, shared: &Shared, let_go: impl Fn(&TestRef<B>, Timestamp) + Sync) {
    let stay: Vec<_> =
        STAY.map(|key| table.put_flow(table.pair(key, 10 + key).timeout(Timeout::NEVER), at(0))).collect();
    race(4, |thread| {
        let mut dice = Dice::new(1, thread);
        let mut held = Vec::new();
        for _ in 0..rounds(1_500) {
            act(table, shared, &mut dice, &mut held);
            assert!(table.len() <= CAPACITY, "more flows than the limit allows");
            let (at, now) = (dice.below(stay.len()), shared.now());
            let stays = &stay[at];
            let key = stays.key_for([Direction::Forward, Direction::Reply][dice.below(2)]).expect("it has two");
            assert_eq!(table.lookup(key, now).as_ref(), Some(stays), "a flow that never ends is not found");
            if shared.forgets && dice.below(200) == 0 {
                std::mem::forget(table.burst(now));
            }
            if held.len() > 4 {
                let_go(&held.swap_remove(dice.below(4)), shared.now());
            }
        }
    });
    drop(stay);
    for flow in table.snapshot() {
        assert_eq!(table.lookup(flow.key(), Timestamp::ZERO), Some(flow.clone()));
        assert_eq!(flow.reply_key().and_then(|key| table.lookup(key, Timestamp::ZERO)), Some(flow.clone()));
    }
    table.reap_with(Timestamp::MAX, Budget::UNLIMITED, |ended| shared.hand_over(ended));
    let stats = table.stats();
    assert_eq!(stats.flows, 0, "{stats:?}");
    if !shared.forgets {
        assert_eq!((stats.dying, stats.waiting), (0, 0), "{stats:?}");
        assert_eq!(table.ledger().dropped(), table.ledger().made());
    }
}

/// What the threads of one run share: a time that only grows, and how often each flow was handed over.
#[derive(Default)]
struct Shared {
    /// Flows may be active again by the time that their end is handed over.
    puts_back: bool,
    /// Some bursts are never closed.
    forgets: bool,
    seconds: AtomicU64,
    handed_over: Mutex<BTreeMap<usize, u64>>,
}

impl Shared {
    fn now(&self) -> Timestamp {
        // Relaxed: threads may see different times, as they may in earnest.
        at(self.seconds.load(Ordering::Relaxed))
    }

    fn hand_over<R: FlowRef<TestKey, TestValue>>(&self, ended: Ended<R>) {
        assert!(self.puts_back || matches!(ended.flow.status(), Status::Expired | Status::Cancelled));
        let serial = ended.flow.value().serial();
        *self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).entry(serial).or_insert(0) += 1;
    }

    fn handed_over(&self) -> BTreeMap<usize, u64> {
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Some operation. Checks what it finds.
fn act<B: Backend>(table: &Fixture<B>, shared: &Shared, dice: &mut Dice, held: &mut Vec<TestRef<B>>) {
    let now = shared.now();
    let key = dice.below(6) as u64;
    let spec = table.spec(key).reply((10 + key).into()).timeout(secs(5));
    match dice.below(12) {
        0 | 1 => match table.insert(spec.value(table.value()), now) {
            Ok(inserted) => held.push(inserted.flow),
            Err(InsertError::Full { capacity, .. }) => assert_eq!(capacity, CAPACITY),
            Err(other) => panic!("{other:?}"),
        },
        2 | 3 => match table.get_or_insert_with(spec, now, || table.value()) {
            Ok(found) => held.push(found.into_flow()),
            Err(InsertError::Full { capacity, .. }) => assert_eq!(capacity, CAPACITY),
            Err(other) => panic!("{other:?}"),
        },
        4 => drop(table.remove(&TestKey::from(key))),
        5 => {
            table.reap_with(now, Budget::flows(3), |ended| shared.hand_over(ended));
        }
        6 => {
            table.reap_local_with(now, Budget::UNLIMITED, |ended| shared.hand_over(ended));
        }
        7 => {
            shared.seconds.fetch_add(1, Ordering::Relaxed);
        }
        8 => {
            let burst = table.burst(now);
            let (keys, mut found) = ([key, 10 + key].map(TestKey::new), Vec::new());
            burst.get_batch(&keys, &mut found);
            for (key, flow) in keys.iter().zip(found) {
                let Some(flow) = flow else { continue };
                assert_eq!(flow.key_for(flow.direction()), Some(key));
                assert!(!table.ledger().is_dropped(flow.value().serial()));
                held.extend(burst.handle(flow));
            }
        }
        9 => drop(held.pop().map(|flow| (flow.cancel(), flow))),
        10 => drop(held.pop().map(|flow| (flow.set_timeout(secs(1), now), flow.refresh(now)))),
        _ => {
            let (keys, mut found) = ([10 + key, key].map(TestKey::new), Vec::new());
            table.lookup_batch(&keys, now, &mut found);
            for (key, flow) in keys.iter().zip(found) {
                let Some(flow) = flow else { continue };
                assert_eq!(flow.key_for(flow.direction()), Some(key));
                assert!(!table.ledger().is_dropped(flow.value().serial()));
                held.push(flow);
            }
        }
    }
}
