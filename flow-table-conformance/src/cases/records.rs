//! Final records: what was known of a flow once nobody could change it any more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flow_table_api::{
    Budget, Burst, EndReason, FinalRecord, Flow, FlowRef, FlowSpec, NewFlow, Status, Table, TableConfig,
    WeakFlowRef,
};

use crate::fixture::{Dice, Ledger, TIMEOUT, TestKey, TestValue, at, inject, race, rounds, secs, survive};
use crate::sync::Arc;
use crate::{Backend, Setup, TestTable};

type Made = Arc<Mutex<Vec<FinalRecord<TestKey, TestValue>>>>;

/// A table that keeps its records.
fn recording<B: Backend>(config: TableConfig) -> (TestTable<B>, Made) {
    let made = Made::default();
    let keep = Arc::clone(&made);
    let table = TestTable::<B>::with_records(config, move |record| {
        keep.lock().expect("no panic").push(record);
    });
    (table, made)
}

/// The records made since the last call: keys, serial numbers, reasons.
fn news(made: &Made) -> Vec<(TestKey, Option<TestKey>, usize, EndReason)> {
    let records = std::mem::take(&mut *made.lock().expect("no panic"));
    let mut news: Vec<_> = records
        .iter()
        .map(|record| (record.key, record.reply_key, record.value.serial(), record.reason))
        .collect();
    news.sort_unstable_by_key(|&(_, _, serial, _)| serial);
    news
}

/// However a flow ends, it leaves one record, with what was known of it and the reason. A flow that was refused
/// leaves none. A flow that comes back leaves one at its last end.
pub fn each_flow_leaves_one_with_its_reason<B: Backend>(setup: Setup) {
    let (table, made) = recording::<B>(setup.config(8));
    let ledger = Ledger::default();
    let flow = |key: u64| FlowSpec::new(TestKey::new(key)).timeout(TIMEOUT).value(ledger.value());
    let key = TestKey::new;
    for id in 0..4 {
        let flow = if id == 3 { flow(3).reply(key(103)) } else { flow(id) };
        drop(table.insert(flow, at(0)).expect("there is room"));
    }
    drop(table.insert_if_absent(flow(0), at(0)).expect("there is room"));
    assert_eq!((news(&made), ledger.dropped()), (vec![], 1), "refused, and returned to the caller");
    drop(table.remove(&key(0)));
    assert_eq!(news(&made), [(key(0), None, 0, EndReason::Removed)]);
    drop(table.insert(flow(1), at(1)).expect("there is room"));
    assert_eq!(news(&made), [(key(1), None, 1, EndReason::Removed)], "replaced");
    assert!(table.lookup(&key(2), at(1)).is_some_and(|flow| flow.cancel()));
    table.reap(at(1), Budget::UNLIMITED);
    assert_eq!(news(&made), [(key(2), None, 2, EndReason::Cancelled)]);
    let held = table.lookup(&key(103), at(1)).expect("live");
    assert!(held.set_timeout(secs(5), at(20)).is_ok());
    table.reap(at(30), Budget::UNLIMITED);
    drop(table.reinsert(&held, at(30)).expect("there is room"));
    drop(held);
    assert!(news(&made).is_empty(), "it has come back");
    table.reap_with(at(35), Budget::UNLIMITED, |ended| assert_eq!(ended.flow.status(), Status::Expired));
    {
        let made = made.lock().expect("no panic");
        let [record] = &made[..] else { panic!("{} records of one flow", made.len()) };
        assert_eq!((record.deadline, record.timeout), (at(35), secs(5)));
    }
    assert_eq!(news(&made), [(key(3), Some(key(103)), 3, EndReason::Expired)]);
    drop(table);
    assert_eq!(news(&made), [(key(1), None, 5, EndReason::Removed)], "its table is gone");
    assert!(ledger.faults().is_empty(), "{:?}", ledger.faults());
}

/// A flow is recorded when the last handle and the last burst that may see it have let go, not before. By then, no
/// weak reference leads to it.
pub fn a_record_waits_for_holders_and_bursts<B: Backend>(setup: Setup) {
    let (table, made) = recording::<B>(setup.config(4));
    let ledger = Ledger::default();
    for id in 0..3 {
        drop(table.insert(NewFlow::new(TestKey::new(id), ledger.value()), at(0)).expect("there is room"));
    }
    let held = table.lookup(&TestKey::new(0), at(0)).expect("live");
    let burst = table.burst(at(0));
    let borrowed = burst.get(&TestKey::new(1)).expect("live");
    let weak = held.downgrade();
    table.reap(at(60), Budget::UNLIMITED);
    let recorded = |made: &Made| news(made).into_iter().map(|(_, _, serial, _)| serial).collect::<Vec<_>>();
    let before = recorded(&made);
    assert!(before.iter().all(|&serial| serial == 2), "{before:?}");
    assert!(held.value().serial() == 0 && borrowed.value().serial() == 1);
    drop(burst);
    let mut all = [before, recorded(&made)].concat();
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    drop(held);
    assert_eq!(recorded(&made), [0]);
    assert!(weak.upgrade().is_none() && ledger.dropped() == 3);
}

/// What is let go after the table is recorded, too.
pub fn none_is_lost_with_the_table<B: Backend>(setup: Setup) {
    let (table, made) = recording::<B>(setup.config(4));
    let ledger = Ledger::default();
    let put =
        |id| table.insert(NewFlow::new(TestKey::new(id), ledger.value()), at(0)).expect("there is room").flow;
    let held = [put(0), put(1), put(2)];
    assert!(held[1].cancel());
    table.reap(at(1), Budget::UNLIMITED);
    drop(table);
    assert!(news(&made).is_empty());
    drop(held);
    let reasons: Vec<_> = news(&made).into_iter().map(|(_, _, serial, reason)| (serial, reason)).collect();
    assert_eq!(reasons, [(0, EndReason::Removed), (1, EndReason::Cancelled), (2, EndReason::Removed)]);
    assert!(ledger.faults().is_empty(), "{:?}", ledger.faults());
}

/// A record is made under no lock, and a panic in it loses no other.
pub fn a_record_may_use_the_table<B: Backend>(setup: Setup) {
    let shared = Arc::new(Mutex::new(None::<Arc<TestTable<B>>>));
    let (there, fails) = (Arc::clone(&shared), Arc::new(AtomicBool::new(false)));
    let (armed, count) = (Arc::clone(&fails), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&count);
    let table = Arc::new(TestTable::<B>::with_records(setup.config(90), move |record| {
        // Relaxed: on one thread.
        counted.fetch_add(1, Ordering::Relaxed);
        let table = there.lock().expect("no panic").clone();
        if let Some(table) = table.filter(|_| record.key != TestKey::new(1_000)) {
            assert!(table.lookup(&record.key, at(60)).is_none());
            drop(table.insert(NewFlow::new(TestKey::new(1_000), record.value), at(60)));
            drop(table.remove(&TestKey::new(1_000)));
            table.reap(at(60), Budget::flows(1));
        }
        if armed.swap(false, Ordering::Relaxed) {
            inject();
        }
    }));
    *shared.lock().expect("no panic") = Some(Arc::clone(&table));
    let ledger = Ledger::default();
    for id in 0..40 {
        drop(table.insert(NewFlow::new(TestKey::new(id), ledger.value()), at(0)).expect("there is room"));
    }
    fails.store(true, Ordering::Relaxed);
    while survive(|| table.reap(at(60), Budget::UNLIMITED)).is_none_or(|report| report.more) {}
    *shared.lock().expect("no panic") = None;
    drop(table);
    assert!(count.load(Ordering::Relaxed) >= 40 && ledger.faults().is_empty(), "{:?}", ledger.faults());
}

/// Threads count packets while flows expire, are cancelled and come anew. Each packet is in one record.
pub fn every_count_is_in_one_record<B: Backend>(setup: Setup) {
    const THREADS: usize = 3;
    const PACKETS: u64 = 2_000;
    for round in 0..rounds(5) {
        let recorded = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&recorded);
        let table = B::Table::<TestKey, AtomicU64>::with_records(setup.config(60), move |record| {
            // Relaxed: the threads are joined before the sum is read.
            sum.fetch_add(record.value.into_inner(), Ordering::Relaxed);
        });
        let counted = race(THREADS + 1, |thread| {
            let mut counted = 0;
            let mut dice = Dice::new(round, thread);
            for packet in 0..PACKETS {
                let now = at(packet / 7);
                if thread == THREADS {
                    table.reap(now, Budget::flows(dice.below(4)));
                    continue;
                }
                let spec = FlowSpec::new(TestKey::new(dice.below(20) as u64)).timeout(Duration::from_secs(1));
                let burst = table.burst(now);
                if let Some(flow) = burst.get(spec.key()).filter(|flow| flow.refresh(now)) {
                    counted += 1;
                    flow.value().fetch_add(1, Ordering::Relaxed);
                    if dice.below(10) == 0 {
                        flow.cancel();
                    }
                } else if let Ok(admission) = table.get_or_insert_with(spec, now, || AtomicU64::new(0)) {
                    // Refused if too many wait for a reap.
                    counted += 1;
                    admission.flow().value().fetch_add(1, Ordering::Relaxed);
                }
            }
            counted
        });
        drop(table);
        assert_eq!(recorded.load(Ordering::Relaxed), counted.into_iter().sum::<u64>());
    }
}
