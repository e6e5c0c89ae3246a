//! Threads that meet on the same keys, while slots, queues and statuses are changed one after the other. The work
//! is bounded, and no clock is used.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use flow_table_dashmap::flow_table_api::{
    Admission, Budget, Burst, Direction, EndReason, Flow, FlowRef, InsertError, NewFlow, OnExpiry, Status, Table,
    TableConfig, Timestamp,
};
use flow_table_dashmap::{FlowHandle, FlowTable};

/// A value that counts itself.
struct Counted<'c>(&'c AtomicUsize);

impl Counted<'_> {
    fn new(living: &AtomicUsize) -> Counted<'_> {
        living.fetch_add(1, Ordering::Relaxed);
        Counted(living)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn flow<V>(key: u64, value: V) -> NewFlow<u64, V> {
    NewFlow::new(key, value).timeout(Duration::from_secs(10))
}

/// Runs `body` on this many threads at once, and returns their results.
fn race<R: Send>(threads: usize, body: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let run = |index| {
            let (barrier, body) = (&barrier, &body);
            move || {
                barrier.wait();
                body(index)
            }
        };
        let running: Vec<_> = (0..threads).map(|index| scope.spawn(run(index))).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// A small generator, one for each thread.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Asserts what must be true of every table at rest.
fn assert_settled<V: Send + Sync + 'static>(table: &FlowTable<u64, V>, latest: Timestamp) {
    table.reap(latest, Budget::UNLIMITED);
    let (stats, active) = (table.stats(), table.snapshot());
    assert_eq!(stats.inserts - stats.ended.total(), active.len() as u64, "{stats:?}");
    assert_eq!(table.len(), active.len(), "what has ended was reaped: {stats:?}");
    assert_eq!(table.retain(|_| false), active.len());
    drop(active);
    assert_eq!((table.len(), table.next_deadline()), (0, None));
    let empty = FlowTable::<u64, V>::with_config(TableConfig::new(1).shards(stats.shards)).memory();
    table.shrink_to_fit();
    let left = table.memory();
    assert!(left <= empty + 16 * 1024, "{left} bytes left, {empty} in an empty table: slots were lost");
}

#[test]
fn a_key_that_is_replaced_is_always_found() {
    let table = FlowTable::<u64, u64>::new(100);
    drop(table.insert(flow(1, 0).reply(2), at(0)));
    let done = AtomicBool::new(false);
    race(4, |thread| {
        if thread == 0 {
            for round in 1..=20_000 {
                // The reply key of one is the forward key of the next.
                let (key, reply) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
                let inserted = table.insert(flow(key, round).reply(reply), at(0)).expect("replaces");
                assert_eq!(inserted.replaced.map(|old| *old.value()), Some(round - 1));
            }
            done.store(true, Ordering::Relaxed);
        } else {
            let mut newest = 0;
            while !done.load(Ordering::Relaxed) {
                for key in [1, 2] {
                    let found = table.lookup(&key, at(0)).expect("one or the other is there");
                    assert!(*found.value() >= newest, "a flow came back by its other key");
                    assert_eq!(found.key_for(found.direction()), Some(&key));
                    newest = *found.value();
                }
            }
        }
    });
    assert_settled(&table, at(0));
}

#[test]
fn a_key_that_is_replaced_is_always_removed() {
    let table = FlowTable::<u64, usize>::new(100);
    let removed = AtomicUsize::new(0);
    drop(table.insert(flow(1, 0), at(0)));
    let replaced: usize = race(3, |thread| {
        let mut replaced = 0;
        for round in 0..10_000 {
            if thread == 0 {
                replaced += usize::from(table.insert(flow(1, round), at(0)).expect("room").replaced.is_some());
            } else {
                removed.fetch_add(usize::from(table.remove(&1).is_some()), Ordering::Relaxed);
            }
        }
        replaced
    })
    .into_iter()
    .sum();
    let left = usize::from(table.lookup(&1, at(0)).is_some());
    assert_eq!(replaced + removed.into_inner() + left, 10_001, "each flow ended once or is there");
    assert_settled(&table, at(0));
}

#[test]
fn one_of_many_installs() {
    let table = FlowTable::<u64, usize>::new(10);
    for round in 0..2_000 {
        let keys = [2 * round, 2 * round + 1];
        let admissions = race(4, |thread| {
            // Crossing pairs: each thread takes the keys in the other order.
            let (key, reply) = if thread % 2 == 0 { (keys[0], keys[1]) } else { (keys[1], keys[0]) };
            let admission = table.insert_if_absent(flow(key, thread).reply(reply), at(0)).expect("room");
            (*admission.flow().value(), admission.is_inserted())
        });
        let winners: Vec<_> = (0..4).filter(|thread| admissions[*thread].1).collect();
        assert_eq!(winners.len(), 1, "{admissions:?}");
        assert!(admissions.iter().all(|(flow, _)| *flow == winners[0]), "{admissions:?}");
        assert_eq!(table.retain(|_| false), 1);
    }
    assert_settled(&table, at(0));
}

/// Waits for `condition`. Spins before it yields the processor.
fn spin_until(condition: impl Fn() -> bool) {
    while !(0..200).any(|_| condition()) {
        thread::yield_now();
    }
}

#[test]
fn a_pair_appears_and_goes_whole() {
    const ROUNDS: u64 = 10_000;
    let table = FlowTable::<u64, u64>::new(10);
    let (seen, torn) = ([const { AtomicUsize::new(0) }; 2], AtomicUsize::new(0));
    let everyone_has_seen = |steps| spin_until(|| seen.iter().all(|seen| seen.load(Ordering::Acquire) == steps));
    race(3, |thread| {
        for round in 0..ROUNDS {
            let (forward, reply) = (2 * round, 2 * round + 1);
            let steps = 2 * usize::try_from(round).expect("few");
            if thread == 2 {
                drop(table.insert(flow(forward, round).reply(reply), at(0)).expect("room"));
                everyone_has_seen(steps + 1);
                drop(table.remove(&forward).expect("live"));
                everyone_has_seen(steps + 2);
                continue;
            }
            // One thread looks at the forward key first, the other at the reply key.
            let (one, other) = if thread == 0 { (forward, reply) } else { (reply, forward) };
            spin_until(|| table.lookup(&one, at(0)).is_some());
            torn.fetch_add(usize::from(table.lookup(&other, at(0)).is_none()), Ordering::Relaxed);
            seen[thread].store(steps + 1, Ordering::Release);
            spin_until(|| table.lookup(&one, at(0)).is_none());
            torn.fetch_add(usize::from(table.lookup(&other, at(0)).is_some()), Ordering::Relaxed);
            seen[thread].store(steps + 2, Ordering::Release);
        }
    });
    assert_eq!(torn.into_inner(), 0, "one key was live without the other");
    assert_settled(&table, at(0));
}

#[test]
fn a_flow_that_comes_and_goes_is_held_once_or_not_at_all() {
    let table = FlowTable::<u64, u64>::new(10);
    let held = table.insert(flow(1, 0).reply(2).on_expiry(OnExpiry::Remove), at(0)).expect("room").flow;
    let counts = race(4, |thread| {
        let (mut removed, mut returned) = (0, 0);
        for _ in 0..20_000 {
            match thread {
                0 => removed += u64::from(table.remove_flow(&held) == Ok(true)),
                1 => removed += u64::from(table.remove(&2).is_some()),
                2 => returned += u64::from(table.reinsert(&held, at(0)).is_ok()),
                _ => drop(table.lookup(&1, at(10))),
            }
            assert!(table.len() <= 1);
        }
        (removed, returned)
    });
    let stats = table.stats();
    assert_eq!(stats.ended.removed, counts.iter().map(|(removed, _)| removed).sum::<u64>());
    assert_eq!(stats.inserts, 1 + counts.iter().map(|(_, returned)| returned).sum::<u64>());
    drop(held);
    assert_settled(&table, at(0));
}

#[test]
fn the_last_holder_going_does_not_take_the_next_flow_along() {
    let table = FlowTable::<u64, u64>::new(10);
    for round in 0..5_000 {
        drop(table.insert(flow(1, round).reply(2), at(0)));
        let held = table.lookup(&1, at(0)).expect("live");
        assert_eq!(table.reap(at(10), Budget::UNLIMITED).expired, 1);
        let held = std::sync::Mutex::new(Some(held));
        race(3, |thread| match thread {
            0 => drop(held.lock().expect("not poisoned").take()),
            1 => drop(table.insert(flow(1, round).reply(2), at(10)).expect("room")),
            _ => drop((table.lookup(&1, at(10)), table.lookup(&2, at(10)))),
        });
        let found = [1, 2].map(|key| table.lookup(&key, at(10)).expect("live").status());
        assert_eq!(found, [Status::Active; 2], "round {round}");
        assert_eq!(table.retain(|_| false), 1);
    }
    assert_settled(&table, at(10));
}

#[test]
fn a_granted_refresh_is_honoured_whatever_reaps() {
    let table = FlowTable::<u64, ()>::new(4);
    for round in 0..5_000 {
        drop(table.insert(flow(round, ()).on_expiry(OnExpiry::Remove), at(0)));
        let held = table.lookup(&round, at(0)).expect("live");
        let granted = race(4, |thread| match thread {
            0 => held.refresh(at(9)),
            1 => table.reap(at(10), Budget::UNLIMITED).expired > 0,
            2 => table.lookup(&round, at(10)).is_none(),
            _ => held.set_deadline(at(12)).is_err(),
        });
        let live = table.lookup(&round, at(10)).is_some();
        assert!(live || !granted[0], "round {round}: {granted:?}");
        assert_eq!(live, held.status() == Status::Active);
        drop(table.remove(&round));
        table.reap(at(10), Budget::UNLIMITED);
        assert_eq!(table.len(), 0);
    }
}

#[test]
fn the_limit_holds_while_many_insert() {
    const CAPACITY: usize = 50;
    let table = FlowTable::<u64, u64>::new(CAPACITY);
    let handed_over = AtomicUsize::new(0);
    let reap = |now| {
        table.reap_with(now, Budget::flows(100), |_| _ = handed_over.fetch_add(1, Ordering::Relaxed));
    };
    race(4, |thread| {
        let mut random = Random(thread as u64);
        for round in 0..20_000 {
            let now = at(round / 100);
            let new = flow(random.below(200), round).timeout(Duration::from_secs(random.below(4)));
            match table.insert_if_absent(new, now) {
                Ok(Admission::Inserted(_)) => {}
                Ok(Admission::Existing { holder, .. }) => drop(holder.refresh(now)),
                Err(InsertError::Full { capacity, .. }) => {
                    assert_eq!(capacity, CAPACITY);
                    reap(now);
                }
                Err(other) => panic!("{other:?}"),
            }
            assert!(table.len() <= CAPACITY && table.stats().dying <= CAPACITY);
        }
    });
    while table.len() + table.stats().dying > 0 {
        reap(at(1_000));
    }
    assert_eq!(handed_over.load(Ordering::Relaxed) as u64, table.stats().inserts, "each one, once");
    assert_settled(&table, at(1_000));
}

/// Every operation, on few keys, from all threads.
#[test]
fn anything_at_once_leaves_a_consistent_table() {
    for shards in [1, 64] {
        let living: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
        let table = FlowTable::<u64, Counted<'static>>::with_config(TableConfig::new(24).shards(shards));
        let handed_over = race(6, |thread| churn(&table, living, thread as u64));
        let reaped = AtomicUsize::new(handed_over.into_iter().sum());
        table.reap_with(at(10_000), Budget::UNLIMITED, |ended| {
            assert_eq!(ended.flow.status() == Status::Expired, ended.reason == EndReason::Expired);
            reaped.fetch_add(1, Ordering::Relaxed);
        });
        let ended = table.stats().ended;
        let ended = usize::try_from(ended.expired + ended.cancelled).expect("few");
        // Those that were reinserted before a reap came were not handed over.
        assert!(reaped.into_inner() <= ended);
        assert_settled(&table, at(10_000));
        drop(table);
        assert_eq!(living.load(Ordering::Relaxed), 0, "values leaked, or dropped twice");
    }
}

fn churn(table: &FlowTable<u64, Counted<'static>>, living: &'static AtomicUsize, thread: u64) -> usize {
    let mut random = Random(thread + 1);
    let mut held: Vec<FlowHandle<u64, Counted<'static>>> = Vec::new();
    let mut handed_over = 0;
    for round in 0..15_000 {
        // The threads' clocks differ.
        let now = at(round / 50 + 3 * (thread % 2));
        let key = random.below(12);
        let mut new = flow(key, Counted::new(living)).timeout(Duration::from_secs(random.below(5)));
        if random.below(2) == 0 {
            new = new.reply((key + 1 + random.below(11)) % 12);
        }
        if random.below(2) == 0 {
            new = new.on_expiry(OnExpiry::Remove);
        }
        match random.below(14) {
            0 | 1 => match table.insert(new, now) {
                Ok(inserted) => held.push(inserted.flow),
                Err(InsertError::Conflict { key, .. }) => assert_eq!(key, Direction::Reply),
                Err(error) => assert!(matches!(error, InsertError::Full { .. }), "{error:?}"),
            },
            2 | 3 => match table.insert_if_absent(new, now) {
                Ok(Admission::Inserted(_)) => {}
                Ok(Admission::Existing { holder, .. }) => held.push(holder),
                Err(error) => assert!(matches!(error, InsertError::Full { .. }), "{error:?}"),
            },
            4 => {
                drop(held.first().map(|flow| table.reinsert(flow, now)));
            }
            5 => held.extend(table.lookup(&key, now)),
            6 => {
                let burst = table.burst(now);
                for (key, found) in [(key, burst.get(&key)), (0, burst.get(&0))] {
                    if let Some(found) = found {
                        assert_eq!(found.key_for(found.direction()), Some(&key));
                        found.refresh(now);
                    }
                }
            }
            7 => drop(table.remove(&key)),
            8 => drop(held.last().map(|flow| table.remove_flow(flow).expect("of this table"))),
            9 => drop(held.last().map(|flow| flow.cancel())),
            10 => drop(held.last().map(|flow| flow.set_deadline(now))),
            11 => {
                let report = table.reap_local(now, Budget::flows(3));
                handed_over += report.expired + report.cancelled;
            }
            12 => table.for_each(|flow| _ = flow.refresh(now)),
            _ => drop(held.pop()),
        }
        if held.len() > 20 {
            held.remove(0);
        }
    }
    handed_over
}

#[test]
fn handles_and_the_table_may_go_in_any_order() {
    for round in 0..500 {
        let living: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
        let table = FlowTable::<u64, Counted<'static>>::new(100);
        let held: Vec<_> = (0..30)
            .map(|key| table.insert(flow(key, Counted::new(living)).reply(key + 100), at(0)).expect("room").flow)
            .collect();
        table.reap(at(round % 20), Budget::flows(10));
        let table = std::sync::Mutex::new(Some(table));
        race(3, |thread| match thread {
            0 => drop(table.lock().expect("not poisoned").take()),
            _ => held.iter().skip(thread).for_each(|flow| drop((flow.cancel(), flow.clone().downgrade()))),
        });
        assert!(held.iter().all(|flow| flow.status() != Status::Active && !flow.cancel()));
        assert_eq!(living.load(Ordering::Relaxed), 30);
        drop(held);
        assert_eq!(living.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn queues_of_ended_threads_are_reaped_and_used_again() {
    let table = FlowTable::<u64, u64>::new(1_000);
    for key in 0..200 {
        race(1, |_| drop(table.insert(flow(key, key), at(key))));
    }
    assert_eq!(table.reap_local(at(1_000), Budget::UNLIMITED).visited(), 0, "this thread has inserted nothing");
    assert_eq!(table.next_deadline(), Some(at(10)));
    assert_eq!(table.reap(at(109), Budget::UNLIMITED).expired, 100);
    // A new thread continues with the queue that an ended one has left.
    let taken_over = race(1, |_| {
        drop(table.insert(flow(500, 0), at(500)));
        table.reap_local(at(1_000), Budget::UNLIMITED).expired
    });
    assert_eq!(taken_over, [101]);
    assert_settled(&table, at(1_000));
}
