//! A reap that asks about a flow, which is filed nowhere meanwhile, against a cancellation, which leaves a notice,
//! and another reap, which takes the notice.

use std::sync::Arc;

use flow_table_api::Timestamp;
use flow_table_api::state::{Expiry, FlowState};
use loom::thread;

use super::explore_within;
use crate::flows::{Notices, PageNotices};
use crate::shard::DueTimes;
use crate::sync::Mutex;

const NOW: Timestamp = Timestamp::from_nanos(100);
const LATER: Timestamp = Timestamp::from_nanos(200);

/// What the shard's lock protects of the flow.
struct Locked {
    held: bool,
    filed: Option<Timestamp>,
    handed_over: u32,
}

/// A shard with one flow, which is due.
struct Shard {
    due: DueTimes,
    notices: Notices,
    page: PageNotices,
    state: FlowState,
    locked: Mutex<Locked>,
}

impl Shard {
    fn with_a_flow() -> Arc<Self> {
        let locked = Mutex::new(Locked { held: true, filed: Some(NOW), handed_over: 0 });
        let (due, state) = (DueTimes::new(1), FlowState::new());
        due.settle(0, Some(NOW));
        state.activate(NOW).unwrap();
        Arc::new(Self { due, notices: Notices::new(), page: PageNotices::new(), state, locked })
    }

    /// As `FlowEntry::cancel` does.
    fn cancel(&self) {
        if self.state.cancel() {
            self.notices.leave(0, &self.page, 0);
            self.due.lower(0, Timestamp::ZERO);
        }
    }

    /// As `ShardGuard::search_noticed` does for one flow.
    fn take_notices(&self, locked: &mut Locked) {
        while self.notices.take().is_some() {
            while self.page.take().is_some() {
                if locked.held && self.state.load().status != flow_table_api::Status::Active {
                    (locked.held, locked.filed) = (false, None);
                    locked.handed_over += 1;
                }
            }
        }
    }

    /// As `ShardGuard::settle` does.
    fn settle(&self, locked: &Locked) {
        let next = if self.notices.is_empty() { locked.filed } else { Some(Timestamp::ZERO) };
        self.due.settle(0, next);
        if !self.notices.is_empty() {
            self.due.lower(0, Timestamp::ZERO);
        }
    }

    /// A reap that does not ask: it ends what is filed and due.
    fn reap(&self, now: Timestamp) {
        let mut locked = self.locked.lock();
        self.take_notices(&mut locked);
        if locked.filed.is_some_and(|filed| filed <= now) {
            locked.filed = None;
            match self.state.expire(now) {
                Expiry::NotDue(deadline) => locked.filed = Some(deadline),
                _ => {
                    locked.held = false;
                    locked.handed_over += 1;
                }
            }
        }
        self.settle(&locked);
    }

    /// The first half of `reap_asking`. Returns `true` if it asks.
    fn come_up(&self) -> bool {
        let mut locked = self.locked.lock();
        self.take_notices(&mut locked);
        let asks = locked.filed.is_some_and(|filed| filed <= NOW);
        if asks {
            locked.filed = None;
        }
        self.settle(&locked);
        asks
    }

    /// The second half, with the answer that the flow is kept until `LATER`: as `Asked::settle` does.
    fn act(&self) {
        let mut locked = self.locked.lock();
        if locked.held
            && locked.filed.is_none()
            && let Some(deadline) = self.state.postpone(LATER)
        {
            locked.filed = Some(deadline);
            self.due.lower(0, deadline);
        }
    }
}

/// Whatever comes between question and answer: the flow is handed over once, by a reap that knows of the work.
fn against(cancels: bool, act: fn(&Shard)) {
    explore_within(3, move || {
        let shard = Shard::with_a_flow();
        let canceller = thread::spawn({
            let shard = Arc::clone(&shard);
            move || {
                if cancels {
                    shard.cancel();
                }
            }
        });
        let reaper = thread::spawn({
            let shard = Arc::clone(&shard);
            move || shard.reap(NOW)
        });
        if shard.come_up() {
            act(&shard);
        }
        canceller.join().unwrap();
        reaper.join().unwrap();
        if shard.locked.lock().held {
            assert_ne!(shard.due.due_shards(LATER), 0, "no reap will come");
            shard.reap(LATER);
        }
        let locked = shard.locked.lock();
        assert_eq!(
            (locked.held, locked.filed, locked.handed_over),
            (false, None, 1),
            "lost, or handed over twice"
        );
    });
}

#[test]
fn a_flow_that_is_asked_about_is_handed_over_once() {
    against(true, Shard::act);
    against(false, Shard::act);
}

#[test]
#[should_panic(expected = "no reap will come")]
fn filing_without_a_word_is_refuted() {
    against(false, |shard| {
        let mut locked = shard.locked.lock();
        if locked.held && locked.filed.is_none() {
            locked.filed = shard.state.postpone(LATER);
        }
    });
}

#[test]
#[should_panic(expected = "lost, or handed over twice")]
fn filing_what_is_not_held_any_more_is_refuted() {
    against(true, |shard| {
        let mut locked = shard.locked.lock();
        shard.state.postpone(LATER);
        locked.filed = Some(LATER);
        shard.due.lower(0, LATER);
    });
}

#[test]
#[should_panic(expected = "lost, or handed over twice")]
fn ending_by_the_answer_whatever_the_state_is_refuted() {
    against(true, |shard| {
        let mut locked = shard.locked.lock();
        locked.handed_over += 1;
        (locked.held, locked.filed) = (false, None);
    });
}
