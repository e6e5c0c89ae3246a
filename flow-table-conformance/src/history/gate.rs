use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A place where threads meet, like a [`Barrier`](std::sync::Barrier), but they do not sleep. They leave it within
/// less time than an operation takes, so what they do next is concurrent.
pub struct Gate {
    threads: usize,
    arrived: AtomicUsize,
    abandoned: AtomicBool,
}

impl Gate {
    /// A gate for this many threads.
    pub const fn new(threads: usize) -> Self {
        Self { threads, arrived: AtomicUsize::new(0), abandoned: AtomicBool::new(false) }
    }

    /// Waits until all threads have come for the `round`-th time, counted from one. Returns `false` if one of them
    /// never will.
    pub fn pass(&self, round: usize) -> bool {
        // AcqRel: pairs with the others' and with the load below: who passes sees what all did before.
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let mut waited = 0_u32;
        while self.arrived.load(Ordering::Acquire) < round * self.threads {
            // Acquire: pairs with the guard's store.
            if self.abandoned.load(Ordering::Acquire) {
                return false;
            }
            waited += 1;
            if waited < 2_000 { spin_loop() } else { thread::yield_now() }
        }
        true
    }

    /// Lets the others go if this thread panics.
    pub const fn guard(&self) -> Guard<'_> {
        Guard(self)
    }
}

/// Abandons the gate when it is dropped by a panic.
pub struct Guard<'g>(&'g Gate);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // Release: pairs with the load in `pass`.
            self.0.abandoned.store(true, Ordering::Release);
        }
    }
}
