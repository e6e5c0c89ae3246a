use std::time::Duration;

use flow_table_api::{Flow, Status, Table, Timestamp};

use crate::fixture::{Fixture, TIMEOUT, at, secs};
use crate::{Backend, Setup};

/// A flow is found until the nanosecond before its deadline, and no longer at it.
pub fn live_until_the_deadline<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    let deadline = at(0) + TIMEOUT;
    let last = Timestamp::from_nanos(deadline.as_nanos() - 1);
    assert_eq!(flow.deadline(), deadline);
    assert!(flow.is_live(last) && table.is_live(1, last));
    assert!(!flow.is_live(deadline), "the deadline itself is too late");
    let contains = |now| table.contains_key(flow.key(), now);
    assert!(contains(last) && !contains(deadline));
    assert_eq!(table.status_of(1, deadline), Some(Status::Expired));
}

/// Only the times that callers give count, wherever their zero lies and however long the calls really take.
pub fn the_table_reads_no_clock<B: Backend>(setup: Setup) {
    for start in [at(0), at(1_700_000_000), Timestamp::MAX.saturating_sub(secs(1_000))] {
        let table = Fixture::<B>::new(setup, 1);
        let nanos = Duration::from_nanos(10);
        drop(table.put_flow(table.flow(1).timeout(nanos), start));
        for _ in 0..100 {
            assert!(table.is_live(1, start), "time passed without the caller's clock");
        }
        assert_eq!(table.reap_all(start).expired, 0);
        assert_eq!(table.reap_all(start + nanos).expired, 1);
    }
}

/// Deadlines stop at the largest timestamp instead of wrapping around.
pub fn time_saturates<B: Backend>(setup: Setup) {
    let last = Timestamp::from_nanos(Timestamp::MAX.as_nanos() - 1);
    for (now, timeout) in [(at(5), Duration::MAX), (last, TIMEOUT), (last, Duration::MAX)] {
        let table = Fixture::<B>::new(setup, 1);
        let flow = table.put_flow(table.flow(1).timeout(timeout), now);
        assert_eq!(flow.deadline(), Timestamp::MAX);
        assert!(flow.refresh(now));
        assert_eq!(flow.deadline(), Timestamp::MAX);
        assert_eq!(table.reap_all(last).expired, 0, "still in the future");
        assert!(table.is_live(1, last));
        assert_eq!(table.reap_all(Timestamp::MAX).expired, 1);
        assert_eq!(flow.status(), Status::Expired);
    }
}

/// A `now` before the flow was inserted neither expires it nor brings its deadline forward.
pub fn an_older_now_expires_nothing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let flow = table.put(1, at(100));
    for now in [at(0), at(99), Timestamp::ZERO] {
        assert!(table.is_live(1, now), "found at {now:?}");
        assert!(flow.refresh(now));
        assert_eq!(table.reap_all(now).expired, 0);
        assert_eq!(flow.deadline(), at(160));
    }
    let older = table.put(2, at(10));
    assert_eq!(older.deadline(), at(70));
    assert_eq!(table.reap_all(at(100)).expired, 1, "the other flow is not due");
    assert!(table.is_live(1, at(159)));
}

/// Once a flow has expired, an older `now` does not bring it back.
pub fn an_older_now_revives_nothing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(100));
    assert_eq!(table.status_of(1, at(160)), Some(Status::Expired));
    assert_eq!(table.status_of(1, at(100)), Some(Status::Expired));
    assert!(!flow.refresh(at(100)));
    assert_eq!(flow.status(), Status::Expired);
    assert_eq!(table.reap_all(at(100)).expired, 1, "it has ended, whatever the time of the reap");
}

/// A flow with a timeout of zero can be inserted, and is never live.
pub fn a_timeout_of_zero_is_due_at_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put_flow(table.flow(1).timeout(Duration::ZERO), at(5));
    assert!(!flow.is_live(at(5)));
    assert!(!table.is_live(1, at(5)));
    assert_eq!(table.reap_all(at(5)).expired, 1);
}
