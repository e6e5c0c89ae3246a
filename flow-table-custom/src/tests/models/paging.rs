//! A page's number, handed to a reader without a lock: the pool's directory has the page's address by then.

use std::sync::Arc;

use loom::thread;

use super::explore;
use crate::memory::{PageId, PagePool};
use crate::sync::{AtomicU32, Ordering};

const NOTHING: u32 = u32::MAX;

/// A slot that names a page, as those of the buckets name an entry's.
struct Named {
    pool: PagePool,
    slot: AtomicU32,
}

impl Named {
    fn new() -> Arc<Self> {
        Arc::new(Self { pool: PagePool::new(1, 2, 2), slot: AtomicU32::new(NOTHING) })
    }

    fn publish(&self, order: Ordering) {
        let page = self.pool.alloc(0, 0).expect("there is room");
        self.slot.store(page.get(), order);
    }

    fn follow(&self) {
        let number = self.slot.load(Ordering::Acquire);
        if number != NOTHING {
            // SAFETY: the number is that of a page that `alloc` returned.
            let base = unsafe { self.pool.base(PageId::new(number)) };
            assert!(!base.is_null(), "a page without an address");
        }
    }
}

/// The first page of a chunk that comes into being is published while another thread looks.
fn while_followed(publish: fn(&Named)) {
    explore(move || {
        let named = Named::new();
        let reader = thread::spawn({
            let named = Arc::clone(&named);
            move || named.follow()
        });
        publish(&named);
        reader.join().unwrap();
    });
}

#[test]
fn a_page_that_is_named_has_its_address() {
    while_followed(|named| named.publish(Ordering::Release));
}

/// One thread adds the chunk. Another thread, which learns of it only through the pool's lock, publishes a page
/// of it.
#[test]
fn a_chunk_of_another_thread_has_its_address() {
    explore(|| {
        let named = Named::new();
        let adder = thread::spawn({
            let named = Arc::clone(&named);
            move || named.pool.alloc(0, 0).is_ok()
        });
        let reader = thread::spawn({
            let named = Arc::clone(&named);
            move || named.follow()
        });
        named.publish(Ordering::Release);
        assert!(adder.join().unwrap());
        reader.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "a page without an address")]
fn naming_a_page_without_release_is_refuted() {
    while_followed(|named| named.publish(Ordering::Relaxed));
}
