//! Refresh against expiry, and against a shorter timeout.

use std::sync::Arc;
use std::time::Duration;

use flow_table_api::state::{Expiry, FlowOptions, FlowState, StateWord};
use flow_table_api::{OnExpiry, Status, Timestamp};
use loom::thread;

use super::{explore, explore_within};

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
        Arc::new(Self::due_at(DEADLINE))
    }

    fn due_at(deadline: Timestamp) -> Self {
        let options = FlowOptions::new(LONG.into(), OnExpiry::KeepWhileReferenced, 0);
        let flow = Self { state: FlowState::new(), options };
        flow.state.activate(DEADLINE).unwrap();
        // Both words come into being by sequentially consistent operations.
        flow.state.set_timeout(LONG.into(), at(1), &flow.options).unwrap();
        flow.state.set_deadline(deadline).unwrap();
        flow
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

/// What three operations on a flow returned, and what became of it.
type Outcome = ([bool; 3], StateWord);

/// Three operations that begin at once on a flow with this deadline. There is an order in which they have the same
/// outcome one after the other; `attempted` stands for the first of them, and may break that.
fn three_at_once(switches: usize, deadline: Timestamp, attempted: fn(&Flow) -> bool, all: [fn(&Flow) -> bool; 3]) {
    explore_within(switches, move || {
        let flow = Arc::new(Flow::due_at(deadline));
        let run = |operation: fn(&Flow) -> bool| {
            let flow = Arc::clone(&flow);
            thread::spawn(move || operation(&flow))
        };
        let [first, second] = [attempted, all[1]].map(run);
        let third = all[2](&flow);
        let returned = [first.join().unwrap(), second.join().unwrap(), third];
        let outcome: Outcome = (returned, flow.state.load());
        let one_by_one = |order: [usize; 3], early: bool| -> Outcome {
            let (flow, mut returned) = (Flow::due_at(deadline), [false; 3]);
            if early {
                // Of a flow that is not live at this time, it changes the timeout only.
                flow.state.set_timeout(SHORT.into(), Timestamp::MAX, &flow.options).unwrap_err();
            }
            order.into_iter().for_each(|number| returned[number] = all[number](&flow));
            (returned, flow.state.load())
        };
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        // `set_timeout` changes the timeout first, also if it is refused in the end.
        let is_explained = |early| orders.into_iter().any(|order| one_by_one(order, early) == outcome);
        assert!(is_explained(false) || !returned[1] && is_explained(true), "no order explains {outcome:?}");
    });
}

fn refresh(flow: &Flow) -> bool {
    flow.state.refresh(at(50), &flow.options)
}

/// Reads the timeout once.
fn refresh_in_two_steps(flow: &Flow) -> bool {
    let word = flow.state.load();
    let deadline = word.deadline.max(at(50) + flow.options.timeout());
    word.is_live(at(50)) && flow.state.set_deadline(deadline).is_ok()
}

fn shorten(flow: &Flow) -> bool {
    flow.state.set_timeout(SHORT.into(), at(50), &flow.options).is_ok()
}

/// At the deadline that the shorter timeout brings.
fn expire(flow: &Flow) -> bool {
    flow.state.expire(at(55)) == Expiry::Expired
}

#[test]
fn refresh_expiry_and_a_shorter_timeout_have_an_order() {
    three_at_once(3, DEADLINE, refresh, [refresh, shorten, expire]);
}

/// The shorter timeout brings the deadline that the flow has: its word stays as it is.
#[test]
fn a_shorter_timeout_that_leaves_the_deadline_has_its_place_in_the_order() {
    three_at_once(3, at(55), refresh, [refresh, shorten, expire]);
}

#[test]
fn two_refreshes_bring_no_longer_timeout_back() {
    three_at_once(3, at(55), refresh, [refresh, shorten, refresh]);
}

#[test]
#[should_panic(expected = "no order explains")]
fn refreshing_in_two_steps_has_no_place_in_the_order() {
    three_at_once(3, DEADLINE, refresh_in_two_steps, [refresh, shorten, expire]);
}

#[test]
#[should_panic(expected = "no order explains")]
fn refreshing_in_two_steps_beside_a_timeout_that_leaves_the_deadline_is_refuted() {
    three_at_once(3, at(55), refresh_in_two_steps, [refresh, shorten, refresh]);
}

/// The same beside a reap that marks the flow (P15). With these times, the shorter timeout leaves the word as it
/// was, so the refresh has to correct itself, and may meet the mark.
#[test]
fn a_mark_hides_no_shorter_timeout() {
    explore_within(4, || {
        let flow = Arc::new(Flow::due_at(DEADLINE));
        let threads = [
            thread::spawn({
                let flow = Arc::clone(&flow);
                move || drop(flow.state.mark())
            }),
            thread::spawn({
                let flow = Arc::clone(&flow);
                move || {
                    let half = Duration::from_nanos(50);
                    flow.state.set_timeout(half.into(), at(50), &flow.options).unwrap();
                }
            }),
        ];
        assert!(flow.state.refresh(at(50), &flow.options));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(flow.state.load().deadline, DEADLINE, "extended by the timeout of before");
    });
}
