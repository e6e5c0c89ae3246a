//! Notices left without the shard's lock against the reap that takes them and settles the shard's time.

use std::sync::Arc;

use flow_table_api::Timestamp;
use loom::thread;

use super::explore_within;
use crate::flows::{Notices, PageNotices};
use crate::shard::DueTimes;
use crate::sync::{AtomicUsize, Ordering};

const PAGE: u32 = 0;

/// A shard with one page.
struct Shard {
    due: DueTimes,
    notices: Notices,
    page: PageNotices,
    /// Whether the flow at each place has ended, and whether a reap has found it.
    ended: [AtomicUsize; 3],
    found: [AtomicUsize; 3],
}

impl Shard {
    /// Nothing due, by sequentially consistent stores.
    fn settled() -> Arc<Self> {
        let zeros = || std::array::from_fn(|_| AtomicUsize::new(0));
        let (notices, page) = (Notices::new(), PageNotices::new());
        let shard = Self { due: DueTimes::new(1), notices, page, ended: zeros(), found: zeros() };
        shard.end(2, Self::notify);
        shard.take(1);
        shard.due.settle(0, None);
        Arc::new(shard)
    }

    fn end(&self, place: u32, notify: fn(&Self, u32)) {
        self.ended[place as usize].store(1, Ordering::Relaxed);
        notify(self, place);
    }

    /// As `Shards::notify` does.
    fn notify(&self, place: u32) {
        self.notices.leave(PAGE, &self.page, place);
        self.due.lower(0, Timestamp::ZERO);
    }

    /// As `ShardGuard::search_ended` does.
    fn take(&self, mut budget: usize) {
        while budget > 0
            && let Some(slot) = self.notices.take()
        {
            self.take_places(&mut budget);
            if !self.page.is_empty() {
                self.notices.put(slot);
            }
        }
    }

    fn take_places(&self, budget: &mut usize) {
        while *budget > 0
            && let Some(place) = self.page.take()
        {
            *budget -= 1;
            if self.ended[place as usize].load(Ordering::Relaxed) == 1 {
                self.found[place as usize].store(1, Ordering::Relaxed);
            }
        }
    }

    fn lower_for_notices(&self) {
        if !self.notices.is_empty() {
            self.due.lower(0, Timestamp::ZERO);
        }
    }

    fn reap(&self, budget: usize) {
        self.take(budget);
        self.due.settle(0, None);
        self.lower_for_notices();
    }
}

/// Flows of one page end on this thread and on two others, while a reap is going on: what it has not found is
/// known of, and the next one finds it.
fn against(notify: fn(&Shard, u32), reap: fn(&Shard)) {
    explore_within(3, move || {
        let shard = Shard::settled();
        let ender = |place| {
            let shard = Arc::clone(&shard);
            thread::spawn(move || shard.end(place, notify))
        };
        let enders = [ender(0), ender(1)];
        reap(&shard);
        enders.into_iter().for_each(|ender| ender.join().unwrap());
        let all_found = || shard.found.iter().all(|found| found.load(Ordering::Relaxed) == 1);
        if !all_found() {
            assert_ne!(shard.due.due_shards(Timestamp::ZERO), 0, "no reap will come");
            shard.reap(3);
            assert!(all_found(), "no reap will find it");
        }
    });
}

#[test]
fn no_notice_is_overlooked() {
    against(Shard::notify, |shard| shard.reap(3));
}

#[test]
fn no_notice_is_overlooked_by_a_reap_with_a_small_budget() {
    against(Shard::notify, |shard| shard.reap(1));
}

#[test]
#[should_panic(expected = "no reap will come")]
fn settling_after_the_last_look_is_refuted() {
    against(Shard::notify, |shard| {
        shard.take(3);
        shard.lower_for_notices();
        shard.due.settle(0, None);
    });
}

#[test]
#[should_panic(expected = "no reap will come")]
fn lowering_before_leaving_the_notice_is_refuted() {
    let hasty = |shard: &Shard, place| {
        shard.due.lower(0, Timestamp::ZERO);
        shard.notices.leave(PAGE, &shard.page, place);
    };
    against(hasty, |shard| shard.reap(3));
}

#[test]
#[should_panic(expected = "no reap will")]
fn forgetting_what_the_budget_left_is_refuted() {
    against(Shard::notify, |shard| {
        let mut budget = 1;
        if shard.notices.take().is_some() {
            shard.take_places(&mut budget);
        }
        shard.due.settle(0, None);
        shard.lower_for_notices();
    });
}

#[test]
#[should_panic(expected = "no reap will")]
fn taking_places_before_the_page_is_refuted() {
    against(Shard::notify, |shard| {
        shard.take_places(&mut 3);
        shard.notices.take();
        shard.due.settle(0, None);
        shard.lower_for_notices();
    });
}
