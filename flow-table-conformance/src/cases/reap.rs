use flow_table_api::{Budget, EndReason, Flow, ReapReport, Status, Table, Timestamp};

use crate::fixture::{Fixture, TestKey, assert_no_walk, at, race, secs};
use crate::{Backend, Setup};

/// A reap releases flows that are due or cancelled, and no others, and reports the number of each.
pub fn removes_what_is_due_and_reports_it<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 30);
    for key in 0..30 {
        let flow = table.put_flow(table.flow(key).timeout(secs(key)), at(0));
        if key % 3 == 0 {
            assert!(flow.cancel());
        }
    }
    let report = table.reap_all(at(20));
    assert_eq!((report.expired, report.cancelled, report.more), (14, 10, false), "{report:?}");
    assert_eq!((table.len(), table.ledger().dropped()), (6, 24));
    assert!((21..30).filter(|key| key % 3 != 0).all(|key| table.is_live(key, at(20))));
    let again = table.reap_all(at(20));
    assert_eq!((again.expired, again.cancelled, again.rescheduled), (0, 0, 0), "{again:?}");
}

/// A reap visits no more flows than its budget, and reports if there is more. The next reap continues.
pub fn keeps_to_its_budget<B: Backend>(setup: Setup) {
    for budget in [1, 3, 7, 20, 100] {
        let table = Fixture::<B>::new(setup, 20);
        for key in 0..20 {
            let flow = table.put(key, at(0));
            match key % 4 {
                0 => assert!(flow.cancel()),
                1 => assert!(flow.refresh(at(30))),
                _ => {}
            }
        }
        let mut total = ReapReport::default();
        // Each call with more to come has visited as much as it may, so this ends.
        for call in 0..=100 {
            assert!(call < 100, "budget {budget}: no end");
            let mut ended = 0;
            let report = table.reap_with(at(60), Budget::flows(budget), |_| ended += 1);
            assert!(report.visited() <= budget, "budget {budget}: {report:?}");
            assert_eq!(ended, report.expired + report.cancelled, "budget {budget}: {report:?}");
            assert!(!report.more || report.visited() == budget, "budget {budget}: gave up early: {report:?}");
            total += report;
            if !report.more {
                break;
            }
        }
        assert_eq!((total.expired, total.cancelled), (10, 5), "budget {budget}");
        assert_eq!(table.len(), 5, "budget {budget}");
    }
    let table = Fixture::<B>::new(setup, 1);
    drop(table.put(1, at(0)));
    let report = table.reap(at(60), Budget::flows(0));
    assert_eq!((report.visited(), report.more, table.len()), (0, true, 1));
}

/// If nothing is due, a reap of a large table costs as much as one of a small table.
pub fn an_idle_reap_does_not_walk_the_table<B: Backend>(setup: Setup) {
    assert_no_walk::<B>(setup, "an idle reap", |table| assert_eq!(table.reap_all(at(1)).visited(), 0));
    assert_no_walk::<B>(setup, "an idle local reap", |table| {
        assert_eq!(table.reap_local(at(1), Budget::UNLIMITED).visited(), 0);
    });
}

/// A reap covers flows that other threads inserted, also threads that have ended.
pub fn covers_all_threads<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 40);
    race(4, |thread| {
        for key in 0..10 {
            let flow = table.put(thread as u64 * 10 + key, at(0));
            if key == 0 {
                assert!(flow.cancel());
            }
        }
    });
    let report = race(1, |_| table.reap_all(at(60)))[0];
    assert_eq!((report.expired, report.cancelled, table.len()), (36, 4, 0));
    assert_eq!(table.ledger().dropped(), 40);
}

/// `reap_local` releases flows of its own thread that are due, within its budget. A reap finds those that it
/// leaves.
pub fn a_local_reap_does_its_share<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 40);
    race(4, |thread| {
        let keys = thread as u64 * 10..thread as u64 * 10 + 10;
        for key in keys.clone() {
            drop(table.put(key, at(0)));
        }
        for call in 0.. {
            let report = table.reap_local_with(at(60), Budget::flows(3), |ended| {
                assert_eq!((ended.reason, ended.flow.status()), (EndReason::Expired, Status::Expired));
            });
            assert!(report.visited() <= 3);
            if !report.more {
                break;
            }
            assert!(call < 100, "no end");
        }
        assert!(keys.into_iter().all(|key| !table.is_live(key, at(0))), "its own flows are gone");
    });
    assert_eq!((table.len(), table.ledger().dropped()), (0, 40));
    drop(table.put(0, at(0)));
    assert_eq!(table.reap_local(at(60), Budget::UNLIMITED).expired, 1, "without a callback");

    race(1, |_| drop(table.put(1, at(0))));
    table.reap_local(at(60), Budget::UNLIMITED);
    table.reap_all(at(60));
    assert_eq!((table.len(), table.stats().ended.expired), (0, 42));
}

/// A flow that one thread inserted and another put back is reaped by a third, at its new deadline and once.
pub fn follows_a_flow_to_another_thread<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let flow = race(1, |_| table.put(1, at(0))).remove(0);
    race(1, |_| {
        assert_eq!(table.remove_flow(&flow), Ok(true));
        assert!(table.reinsert(&flow, at(30)).is_ok());
    });
    assert_eq!(table.reap_all(at(60)).expired, 0, "its first deadline is over and done with");
    race(1, |_| flow.set_deadline(at(70)).expect("live"));
    assert_eq!(table.reap_all(at(69)).expired, 0);
    let mut ended = Vec::new();
    table.reap_with(at(70), Budget::UNLIMITED, |end| ended.push(end.flow));
    assert_eq!(ended, [flow]);
    assert_eq!((table.len(), table.reap_all(at(100)).expired), (0, 0));
}

/// Nothing that is left of an old flow removes the flow that took its key.
pub fn works_by_identity<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let mut old = Vec::new();
    for round in 0..12 {
        let now = at(round);
        let flow = match round % 4 {
            0 => table.put(1, now),
            _ => table.insert(table.flow(1), now).expect("there is room").flow,
        };
        match round % 4 {
            1 => assert!(flow.refresh(now)),
            2 => assert!(flow.cancel()),
            3 => assert_eq!(table.remove_flow(&flow), Ok(true)),
            _ => {}
        }
        old.push(flow);
        let report = table.reap_all(now);
        assert_eq!(report.cancelled, usize::from(round % 4 == 2));
    }
    let live = race(1, |_| table.put_flow(table.flow(1).timeout(secs(1_000)), at(12))).remove(0);
    drop(old);
    let report = table.reap_all(at(500));
    assert_eq!((report.expired, report.cancelled), (0, 0), "only left-overs of other flows were due");
    assert_eq!(table.find(1, at(500)), Some(live), "the live flow was taken for an old one");
}

/// One reap after a long silence, by a thread that never used the table, collects everything.
pub fn one_late_reap_collects_everything<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2_000);
    race(2, |thread| {
        for key in 0..1_000 {
            drop(table.put(thread as u64 * 1_000 + key, at(key)));
        }
    });
    let report = race(1, |_| table.reap_all(at(1_000_000)))[0];
    assert_eq!((report.expired, report.more), (2_000, false));
    assert_eq!((table.len(), table.ledger().dropped(), table.stats().dying), (0, 2_000, 0));
    assert_eq!(table.next_deadline(), None);
}

/// `next_deadline` is never later than the earliest deadline, is zero if a flow waits, and moves on after a reap.
pub fn next_deadline_is_a_lower_bound<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 3);
    assert_eq!(table.next_deadline(), None, "an empty table");
    let first = table.put(1, at(10));
    let second = table.put_flow(table.flow(2).timeout(secs(5)), at(10));
    assert!(table.next_deadline() <= Some(at(15)) && table.next_deadline() > Some(Timestamp::ZERO));
    assert!(first.refresh(at(50)));
    assert!(table.next_deadline() <= Some(at(15)));
    assert!(second.cancel());
    assert_eq!(table.next_deadline(), Some(Timestamp::ZERO), "a cancelled flow waits");
    assert_eq!(table.reap_all(at(20)).cancelled, 1);
    drop(second);
    // Sleeping until the next deadline and reaping again and again must come to an end.
    let mut now = at(20);
    for step in 0.. {
        let report = table.reap_all(now);
        let Some(next) = table.next_deadline() else {
            assert_eq!((report.expired, now), (1, at(110)), "the last flow expired at its deadline");
            break;
        };
        assert!(next <= at(110), "too late for the flow that is left");
        assert!(next > now, "{now:?}: nothing is due, but the next deadline is {next:?}");
        now = now.max(next);
        assert!(step < 100, "no end");
    }
    drop(first);
    table.reap_all(at(110));
    assert_eq!(table.next_deadline(), None, "empty again");
    drop(table.put(3, at(110)));
    drop(table.remove(&TestKey::new(3)).expect("active"));
    assert_eq!(table.next_deadline(), None, "what was removed waits for nothing");
}

/// Flows that are alike in key hash and deadline are all found by one reap.
pub fn equal_deadlines_and_hashes_hide_nothing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 64);
    for id in 0..64 {
        drop(table.put(TestKey::colliding(id), at(0)));
    }
    let first = table.reap(at(60), Budget::flows(10));
    assert!(first.more && first.visited() == 10, "{first:?}");
    assert_eq!(first.expired + table.reap_all(at(60)).expired, 64);
    assert_eq!((table.len(), table.stats().dying), (0, 0));
}
