//! Counts how deep drops of values nest on a thread. The drop of a value may end further flows, whose values
//! are dropped within it, and so on. Beyond a certain depth, values wait in limbo instead. The outermost drop
//! on this thread that collects there drops them.

use std::cell::Cell;

/// Drops within drops, at most: few enough for the stack of any thread.
const DEEPEST: u32 = 32;

thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });

/// A value that is being dropped.
pub(crate) struct Nested(());

impl Nested {
    pub(crate) fn enter() -> Self {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
        Self(())
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get().saturating_sub(1)));
    }
}

/// Returns `true` if no further value may be dropped within those that are being dropped.
#[inline]
pub(crate) fn is_deepest() -> bool {
    DEPTH.try_with(|depth| depth.get() >= DEEPEST).unwrap_or(false)
}
