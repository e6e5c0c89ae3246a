//! Refresh against expiry, and against a shorter timeout.

use std::sync::Arc;
use std::time::Duration;

use flow_table_api::state::{Expiry, FlowOptions, FlowState};
use flow_table_api::{OnExpiry, Status, Timestamp};
use loom::thread;

use super::explore;

const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

const DEADLINE: Timestamp = at(100);
const LONG: Duration = Duration::from_nanos(90);
const SHORT: Duration = Duration::from_nanos(5);

struct Flow {
    state: FlowState,
    options: FlowOptions,
}

impl Flow {
    fn active() -> Arc<Self> {
        let options = FlowOptions::new(LONG.into(), OnExpiry::KeepWhileReferenced);
        let flow = Self { state: FlowState::new(), options };
        flow.state.activate(DEADLINE).unwrap();
        Arc::new(flow)
    }
}

/// A refresh just before the deadline, while another thread expires the flow at it: one of them prevails.
fn against_expiry(expire: fn(&FlowState) -> bool) {
    explore(move || {
        let flow = Flow::active();
        let refresher = thread::spawn({
            let flow = Arc::clone(&flow);
            move || flow.state.refresh(at(99), &flow.options)
        });
        let expired = expire(&flow.state);
        let granted = refresher.join().unwrap();
        assert_ne!(granted, expired, "a granted refresh was not honoured, or a refused one had an effect");
        let word = flow.state.load();
        assert_eq!(word.status == Status::Active, granted);
        assert_eq!(word.deadline, if granted { at(189) } else { DEADLINE });
    });
}

#[test]
fn a_granted_refresh_is_honoured() {
    against_expiry(|state| state.expire(DEADLINE) == Expiry::Expired);
}

#[test]
#[should_panic(expected = "not honoured")]
fn ending_what_was_due_a_moment_ago_is_refuted() {
    against_expiry(|state| state.load().deadline <= DEADLINE && state.detach());
}

/// A refresh while another thread makes the timeout shorter: afterwards the flow has none of the long one.
fn against_a_shorter_timeout(refresh: fn(&Flow)) {
    explore(move || {
        let flow = Flow::active();
        let refresher = thread::spawn({
            let flow = Arc::clone(&flow);
            move || refresh(&flow)
        });
        flow.state.set_timeout(SHORT.into(), at(50), &flow.options).unwrap();
        refresher.join().unwrap();
        assert_eq!(flow.state.load().deadline, at(55), "extended by the timeout of before");
    });
}

#[test]
fn a_refresh_does_not_bring_a_longer_timeout_back() {
    against_a_shorter_timeout(|flow| assert!(flow.state.refresh(at(50), &flow.options)));
}

#[test]
#[should_panic(expected = "timeout of before")]
fn refreshing_in_two_steps_is_refuted() {
    against_a_shorter_timeout(|flow| {
        let deadline = flow.state.load().deadline.max(at(50) + flow.options.timeout());
        flow.state.set_deadline(deadline).unwrap();
    });
}
