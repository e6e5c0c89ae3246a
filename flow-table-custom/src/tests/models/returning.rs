//! A pair that comes back while a reap is not done with it: it is found by both keys from then on.

use std::sync::Arc;

use flow_table_api::state::{Expiry, FlowOptions, FlowState};
use flow_table_api::{OnExpiry, Status, Timeout, Timestamp};
use loom::thread;

use super::{explore, explore_within};
use crate::flows::HELD;
use crate::sync::{AtomicUsize, Mutex, Ordering};

const DUE: Timestamp = Timestamp::from_nanos(10);
const LATER: Timestamp = Timestamp::from_nanos(20);

/// A pair whose keys belong to two shards: each shard's lock, and whether the key's slot is filled.
struct Pair {
    state: FlowState,
    slots: [Mutex<bool>; 2],
}

impl Pair {
    /// As `Batch::claim` does: under the lock of the first shard only.
    fn reap(&self, unlink_reply: fn(&Self)) {
        let mut forward = self.slots[0].lock();
        self.state.expire(DUE);
        *forward = false;
        drop(forward);
        unlink_reply(self);
    }

    /// As `Core::reinsert` does: under both locks.
    fn reinsert(&self) {
        let [mut forward, mut reply] = [self.slots[0].lock(), self.slots[1].lock()];
        if self.state.load().status == Status::Expired {
            (*forward, *reply) = (true, true);
            self.state.activate(LATER).unwrap();
        }
    }
}

fn against_reinsertion(unlink_reply: fn(&Pair)) {
    explore(move || {
        let pair = Pair { state: FlowState::new(), slots: [Mutex::new(true), Mutex::new(true)] };
        pair.state.activate(DUE).unwrap();
        let pair = Arc::new(pair);
        let owner = thread::spawn({
            let pair = Arc::clone(&pair);
            move || pair.reinsert()
        });
        pair.reap(unlink_reply);
        owner.join().unwrap();
        let active = pair.state.load().status == Status::Active;
        for slot in &pair.slots {
            assert_eq!(*slot.lock(), active, "half a pair");
        }
    });
}

/// As `Batch::unlink_replies` does.
#[test]
fn a_pair_that_comes_back_keeps_both_keys() {
    against_reinsertion(|pair| {
        let mut reply = pair.slots[1].lock();
        if pair.state.load().status != Status::Active {
            *reply = false;
        }
    });
}

#[test]
#[should_panic(expected = "half a pair")]
fn looking_at_the_status_before_locking_is_refuted() {
    against_reinsertion(|pair| {
        if pair.state.load().status != Status::Active {
            *pair.slots[1].lock() = false;
        }
    });
}

#[test]
#[should_panic(expected = "half a pair")]
fn taking_the_reply_key_whatever_came_between_is_refuted() {
    against_reinsertion(|pair| *pair.slots[1].lock() = false);
}

/// A flow of one key that the table holds, its shard's lock with the key's slot in it, and how often it ended and
/// was handed over.
struct Held {
    state: FlowState,
    options: FlowOptions,
    slot: Mutex<bool>,
    ends: AtomicUsize,
    handed_over: AtomicUsize,
}

impl Held {
    fn new() -> Self {
        let options = FlowOptions::new(Timeout::NEVER, OnExpiry::Remove, 0);
        options.set_own(HELD);
        let state = FlowState::new();
        state.activate(DUE).unwrap();
        let zero = || AtomicUsize::new(0);
        Self { state, options, slot: Mutex::new(true), ends: zero(), handed_over: zero() }
    }

    /// As `Core::expire` does, without the lock.
    fn look_up(&self) {
        if self.state.expire(DUE) == Expiry::Expired {
            self.ends.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As `ShardGuard::search_ended` does for a flow that may have ended, and a reap for one that is due.
    fn reap(&self, is_ended: fn(&Self) -> bool) {
        let mut slot = self.slot.lock();
        self.look_up();
        if self.options.own(HELD) && is_ended(self) {
            self.options.clear_own(HELD);
            self.handed_over.fetch_add(1, Ordering::Relaxed);
            if self.state.load().status != Status::Active {
                *slot = false;
            }
        }
    }

    /// As `Core::reinsert` does. Returns `true` if the flow came back.
    fn reinsert(&self) -> bool {
        let mut slot = self.slot.lock();
        let comes_back = self.state.load().status == Status::Expired;
        if comes_back {
            self.options.set_own(HELD);
            *slot = true;
            self.state.activate(LATER).unwrap();
        }
        comes_back
    }
}

/// A reap, a look-up that finds the flow due, and its owner, who puts it back.
fn while_looked_up(is_ended: fn(&Held) -> bool) {
    explore_within(3, move || {
        let flow = Arc::new(Held::new());
        let look_up = thread::spawn({
            let flow = Arc::clone(&flow);
            move || flow.look_up()
        });
        let owner = thread::spawn({
            let flow = Arc::clone(&flow);
            move || flow.reinsert()
        });
        flow.reap(is_ended);
        look_up.join().unwrap();
        let came_back = owner.join().unwrap();
        // The next reap: what has ended is handed over at the latest then.
        flow.reap(|flow| flow.state.load().status != Status::Active);
        let active = flow.state.load().status == Status::Active;
        assert_eq!(flow.options.own(HELD), active, "active, but the table does not hold it, or the reverse");
        assert_eq!(*flow.slot.lock(), active, "active, but not found, or the reverse");
        let ends = flow.ends.load(Ordering::Relaxed);
        assert_eq!(ends, 1 + usize::from(came_back) - usize::from(active), "an end was lost or counted twice");
        assert!((1 - usize::from(active)..=ends).contains(&flow.handed_over.load(Ordering::Relaxed)));
    });
}

#[test]
fn a_flow_that_comes_back_while_it_is_looked_up_is_held() {
    while_looked_up(|flow| flow.state.load().status != Status::Active);
}

#[test]
#[should_panic(expected = "does not hold it")]
fn handing_over_whatever_was_noticed_is_refuted() {
    while_looked_up(|_| true);
}
