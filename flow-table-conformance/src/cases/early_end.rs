use flow_table_api::{Budget, Direction, EndReason, Flow, FlowRef, Status, Table, Timestamp};

use crate::fixture::{Fixture, TestKey, at, race, rounds, secs};
use crate::{Backend, Setup};

/// After `cancel`, look-ups do not find the flow under either key, and the next reap releases it long before its
/// deadline.
pub fn cancel_takes_effect_at_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let flow = table.put_flow(table.pair(1, 2).timeout(secs(1_000_000)), at(10));
    drop(table.put(3, at(10)));
    assert!(table.find(2, at(10)).expect("live").cancel(), "through any handle");
    assert!(table.find(1, at(10)).is_none() && table.find(2, at(10)).is_none());
    assert_eq!((flow.status(), flow.refresh(at(10)), table.len()), (Status::Cancelled, false, 2));
    let mut ended = Vec::new();
    // Even an older `now` will do.
    let report = table.reap_with(Timestamp::ZERO, Budget::UNLIMITED, |end| ended.push((end.flow, end.reason)));
    assert_eq!((report.cancelled, report.expired), (1, 0));
    assert_eq!(ended, [(flow, EndReason::Cancelled)]);
    assert_eq!(table.len(), 1);
    drop(ended);
    assert!(table.ledger().is_dropped(0));
}

/// Only the first `cancel` of a flow does anything.
pub fn cancel_is_idempotent<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    let cancelled = race(4, |_| flow.cancel());
    assert_eq!(cancelled.iter().filter(|&&done| done).count(), 1);
    assert!(!flow.cancel());
    assert_eq!((table.stats().ended.cancelled, table.reap_all(at(0)).cancelled), (1, 1));
    assert!(!flow.cancel());
    assert_eq!(table.reap_all(at(0)).cancelled, 0);
}

/// Cancelling an expired flow keeps its status and its one count, but look-ups stop finding it.
pub fn cancel_hides_an_expired_flow<B: Backend>(setup: Setup) {
    for reap_first in [false, true] {
        let table = Fixture::<B>::new(setup, 1);
        let flow = table.put_pair(1, 2, at(0));
        assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
        let before = if reap_first { table.reap_all(at(60)).expired } else { 0 };
        assert!(!flow.cancel(), "it had ended");
        assert_eq!(flow.status(), Status::Expired);
        assert!(table.find(1, at(60)).is_none() && table.find(2, at(60)).is_none());
        let report = table.reap_all(at(60));
        assert_eq!((before + report.expired, report.cancelled), (1, 0));
        assert_eq!((table.stats().ended.expired, table.stats().ended.cancelled), (1, 0));
    }
}

/// `cancel` of a removed flow does nothing. If the flow is put back, it is found after its end as usual.
pub fn cancel_leaves_a_detached_flow_alone<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put_pair(1, 2, at(0));
    assert_eq!(table.remove_flow(&flow), Ok(true));
    assert!(!flow.cancel());
    assert_eq!((flow.status(), table.stats().ended.cancelled), (Status::Detached, 0));
    drop(table.reinsert(&flow, at(0)).expect("it was not cancelled"));
    assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
    assert_eq!(table.reap_all(at(60)).expired, 1);
    assert_eq!(table.status_of(2, at(60)), Some(Status::Expired), "it is still referenced");
}

/// Cancelled flows use a reap's budget like others, and any number of them is reaped.
pub fn cancelled_flows_keep_to_the_budget<B: Backend>(setup: Setup) {
    const FLOWS: usize = 300;
    let table = Fixture::<B>::new(setup, FLOWS);
    for key in 0..FLOWS as u64 {
        assert!(table.put(key, at(0)).cancel());
    }
    let mut left = FLOWS;
    for budget in [0, 1, 10, 100, 500] {
        let report = table.reap(at(0), Budget::flows(budget));
        assert!(report.visited() <= budget, "{report:?} of {budget}");
        left -= report.cancelled;
        assert_eq!((report.expired, report.more, table.len()), (0, left > 0, left));
    }
    assert_eq!((left, table.reap_all(at(0)).visited()), (0, 0));
}

/// A cancellation that comes as soon as another thread finds the flow is not overwritten by the insertion that is
/// still running.
pub fn cancel_is_not_lost_to_the_insertion<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    for round in 0..rounds(300) {
        let outcome = race(2, |thread| {
            if thread == 0 {
                return Some(table.insert(table.flow(1), at(0)).expect("there is room").flow);
            }
            // Bounded: the insertion may take its time.
            let found = (0..100_000).find_map(|_| table.find(1, at(0)));
            found.filter(|flow| flow.cancel())
        });
        let flow = outcome[0].as_ref().expect("inserted");
        if let Some(cancelled) = &outcome[1] {
            assert_eq!((cancelled, flow.status()), (flow, Status::Cancelled), "round {round}");
            assert!(table.find(1, at(0)).is_none(), "round {round}");
        } else {
            assert!(flow.cancel(), "round {round}");
        }
        assert_eq!(table.reap_all(at(0)).cancelled, 1, "round {round}");
    }
}

/// `remove` works by either key, at any deadline, and releases the table's reference at once.
pub fn remove_releases_at_once<B: Backend>(setup: Setup) {
    for (key, direction) in [(1, Direction::Forward), (2, Direction::Reply)] {
        let table = Fixture::<B>::new(setup, 1);
        let flow = table.put_flow(table.pair(1, 2).timeout(secs(1_000_000)), at(0));
        let removed = table.remove(&TestKey::new(key)).expect("active");
        assert_eq!((&removed, removed.direction(), flow.status()), (&flow, direction, Status::Detached));
        assert_eq!((table.len(), table.stats().ended.removed), (0, 1));
        assert!(table.find(1, at(0)).is_none() && table.find(2, at(0)).is_none());
        drop(flow);
        assert_eq!(table.ledger().dropped(), 0, "the returned handle holds it");
        drop(removed);
        assert_eq!(table.ledger().dropped(), 1, "the table has let go");
        assert_eq!(table.remove(&TestKey::new(key)), None);
    }
}

/// Flows of other threads are released as promptly.
pub fn remove_reaches_other_threads_flows<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    race(4, |thread| drop(table.put(thread as u64, at(0))));
    for key in 0..2 {
        drop(table.remove(&TestKey::new(key)).expect("active"));
    }
    race(2, |thread| {
        let flow = table.find(2 + thread as u64, at(0)).expect("live");
        assert_eq!(table.remove_flow(&flow), Ok(true));
    });
    assert_eq!((table.len(), table.ledger().dropped()), (0, 4));
    let report = table.reap_all(at(60));
    assert_eq!((report.expired, report.cancelled), (0, 0));
}

/// A removed flow's handle does not remove the flow that took its key.
pub fn remove_flow_goes_by_identity<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let old = table.put(1, at(0));
    let new = table.insert(table.flow(1), at(0)).expect("replaces").flow;
    assert_eq!(table.remove_flow(&old), Ok(false));
    assert_eq!(table.find(1, at(0)), Some(new.clone()));
    assert_eq!(table.remove_flow(&new), Ok(true));
    assert_eq!(table.remove_flow(&new), Ok(false), "only once");
    let ended = table.put(1, at(0));
    assert!(ended.cancel());
    assert_eq!(table.remove_flow(&ended), Ok(false));
    assert_eq!((table.stats().ended.removed, ended.status()), (1, Status::Cancelled));
}

/// `remove` of a flow that is due removes it. For a flow that has ended, it returns `None`, hides the flow and
/// leaves its end to be handed over.
pub fn remove_looks_at_no_deadline<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let due = table.put(1, at(0));
    assert_eq!(table.remove(&TestKey::from(1)), Some(due.clone()));
    let expired = table.put(1, at(0));
    assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
    assert_eq!(table.remove(&TestKey::from(1)), None);
    assert_eq!(table.find(1, at(60)), None, "not found any more, though somebody holds it");
    assert_eq!(expired.status(), Status::Expired);
    assert_eq!(table.reap_all(at(60)).expired, 1);
    assert_eq!(table.stats().ended.removed, 1);
}
