use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::sync::Arc;

thread_local! {
    static SEATS: RefCell<Vec<Seat>> = const { RefCell::new(Vec::new()) };
}

/// A thread's queue in one table. The thread gives it up when it ends.
pub(crate) struct Seat {
    pub(crate) table: u64,
    pub(crate) queue: usize,
    /// Whether a living thread has the queue.
    pub(crate) taken: Arc<AtomicBool>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Release: pairs with the Acquire of `Queues::claim`. The next thread sees the queue as this one left it.
        self.taken.store(false, Ordering::Release);
    }
}

impl Seat {
    /// The queue that this thread has in `table`. Also `None` while the thread's last locals are dropped.
    pub(crate) fn find(table: u64) -> Option<usize> {
        let find = |seats: &RefCell<Vec<Self>>| {
            seats.borrow().iter().find(|seat| seat.table == table).map(|seat| seat.queue)
        };
        SEATS.try_with(find).ok().flatten()
    }

    /// Remembers the seat, and forgets those in tables that are gone.
    pub(crate) fn take(self) {
        let remember = |seats: &RefCell<Vec<Self>>| {
            let mut seats = seats.borrow_mut();
            seats.retain(|seat| Arc::strong_count(&seat.taken) > 1);
            seats.push(self);
        };
        // While the thread's last locals are dropped, the seat is given up at once, but the queue is still used.
        let _ = SEATS.try_with(remember);
    }

    /// The number of seats that this thread has.
    #[cfg(test)]
    pub(crate) fn count() -> usize {
        SEATS.with_borrow(Vec::len)
    }
}
