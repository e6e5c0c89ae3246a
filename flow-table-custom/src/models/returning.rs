//! A pair that comes back while a reap is not done with it: it is found by both keys from then on.

use std::sync::Arc;

use flow_table_api::state::FlowState;
use flow_table_api::{Status, Timestamp};
use loom::thread;

use super::explore;
use crate::sync::Mutex;

const DUE: Timestamp = Timestamp::from_nanos(10);
const LATER: Timestamp = Timestamp::from_nanos(20);

/// A pair whose keys belong to two shards: each shard's lock, and whether the key's slot is filled.
struct Pair {
    state: FlowState,
    slots: [Mutex<bool>; 2],
}

impl Pair {
    /// As `Core::claim` does: under the lock of the first shard only.
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

/// As `Core::unlink_unless_active` does.
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
