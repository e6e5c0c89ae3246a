use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns a small number for this thread. No two threads have the same number until the numbers wrap around.
#[inline]
pub(crate) fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    const UNKNOWN: usize = usize::MAX;
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) });

    // While the thread's locals are being destroyed, zero is good enough.
    NUMBER
        .try_with(|number| {
            if number.get() == UNKNOWN {
                // Relaxed: numbers order nothing.
                number.set(NEXT.fetch_add(1, Ordering::Relaxed) & !(1 << (usize::BITS - 1)));
            }
            number.get()
        })
        .unwrap_or(0)
}
