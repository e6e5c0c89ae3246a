//! A notice left without the shard's lock against the reap that settles the shard's time.

use std::sync::Arc;

use flow_table_api::Timestamp;
use loom::thread;

use super::explore;
use crate::due::DueTimes;
use crate::sync::{AtomicUsize, Ordering};

/// One shard's time, and how many notices wait. The queue of notices is sequentially consistent, as this counter
/// is.
struct Shard {
    due: DueTimes,
    notices: AtomicUsize,
}

impl Shard {
    /// Nothing due, by sequentially consistent stores.
    fn settled() -> Arc<Self> {
        let shard = Self { due: DueTimes::new(1), notices: AtomicUsize::new(0) };
        shard.due.settle(0, None);
        shard.notices.store(0, Ordering::SeqCst);
        Arc::new(shard)
    }

    fn notify(&self) {
        self.notices.fetch_add(1, Ordering::SeqCst);
        self.due.lower(0, Timestamp::ZERO);
    }

    fn take_notices(&self) {
        self.notices.swap(0, Ordering::SeqCst);
    }

    fn lower_for_notices(&self) {
        if self.notices.load(Ordering::SeqCst) != 0 {
            self.due.lower(0, Timestamp::ZERO);
        }
    }
}

/// Two flows end, one of them while a reap is going on: a notice that still waits then is known of.
fn against(reap: fn(&Shard)) {
    explore(move || {
        let shard = Shard::settled();
        shard.notify();
        let ender = thread::spawn({
            let shard = Arc::clone(&shard);
            move || shard.notify()
        });
        reap(&shard);
        ender.join().unwrap();
        let waits = shard.notices.load(Ordering::SeqCst) != 0;
        assert!(!waits || shard.due.due_shards(Timestamp::ZERO) != 0, "a notice that no reap will find");
    });
}

#[test]
fn no_notice_is_overlooked() {
    against(|shard| {
        shard.take_notices();
        shard.due.settle(0, None);
        shard.lower_for_notices();
    });
}

#[test]
#[should_panic(expected = "no reap will find")]
fn settling_after_the_last_look_is_refuted() {
    against(|shard| {
        shard.take_notices();
        shard.lower_for_notices();
        shard.due.settle(0, None);
    });
}

#[test]
#[should_panic(expected = "no reap will find")]
fn lowering_before_leaving_the_notice_is_refuted() {
    explore(|| {
        let shard = Shard::settled();
        let ender = thread::spawn({
            let shard = Arc::clone(&shard);
            move || {
                shard.due.lower(0, Timestamp::ZERO);
                shard.notices.fetch_add(1, Ordering::SeqCst);
            }
        });
        shard.take_notices();
        shard.due.settle(0, None);
        shard.lower_for_notices();
        ender.join().unwrap();
        let waits = shard.notices.load(Ordering::SeqCst) != 0;
        assert!(!waits || shard.due.due_shards(Timestamp::ZERO) != 0, "a notice that no reap will find");
    });
}
