//! Cancellation against expiry against reinsertion.

use std::sync::Arc;

use flow_table_api::state::{Expiry, FlowState};
use flow_table_api::{Status, Timestamp};
use loom::thread;

use super::explore;

const DUE: Timestamp = Timestamp::from_nanos(10);
const LATER: Timestamp = Timestamp::from_nanos(20);

/// One thread cancels, one expires and reinserts with `reinsert`, one removes: each end is counted by one of them.
fn all_at_once(reinsert: fn(&FlowState) -> bool) {
    explore(move || {
        let state = Arc::new(FlowState::new());
        state.activate(DUE).unwrap();
        let canceller = thread::spawn({
            let state = Arc::clone(&state);
            move || state.cancel()
        });
        let reaper = thread::spawn({
            let state = Arc::clone(&state);
            move || {
                let expired = state.expire(DUE) == Expiry::Expired;
                (expired, expired && reinsert(&state))
            }
        });
        let removed = state.detach();
        let cancelled = canceller.join().unwrap();
        let (expired, reinserted) = reaper.join().unwrap();

        let status = state.load().status;
        let starts = 1 + u32::from(reinserted);
        let ends = u32::from(cancelled) + u32::from(expired) + u32::from(removed);
        assert_eq!(starts - ends, u32::from(status == Status::Active), "an end was lost or counted twice");
        assert_eq!(cancelled, status == Status::Cancelled, "cancelled is final");
    });
}

#[test]
fn each_end_has_one_winner() {
    all_at_once(|state| state.activate(LATER).is_ok());
}

/// A reinserted flow can be cancelled at once. What stores `Active` afterwards, whatever is there, loses that.
fn cancelled_while_reinserted(reinsert: fn(&FlowState)) {
    explore(move || {
        let state = Arc::new(FlowState::new());
        state.activate(DUE).unwrap();
        let reaper = thread::spawn({
            let state = Arc::clone(&state);
            move || {
                state.expire(DUE);
                reinsert(&state);
            }
        });
        let cancelled = state.cancel();
        reaper.join().unwrap();
        assert_eq!(cancelled, state.load().status == Status::Cancelled, "cancelled is final");
    });
}

#[test]
fn reinsertion_revives_nothing_cancelled() {
    cancelled_while_reinserted(|state| {
        let _ = state.activate(LATER);
    });
}

#[test]
#[should_panic(expected = "cancelled is final")]
fn storing_active_is_refuted() {
    cancelled_while_reinserted(|state| state.reset(Status::Active, LATER));
}
