//! Drops many user values, each of which may panic.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Drops each, even if some panic. The first panic continues when all are dropped.
pub fn drop_each<T>(all: impl IntoIterator<Item = T>) {
    let mut first = None;
    for one in all {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(one))) {
            first.get_or_insert(panic);
        }
    }
    if let Some(panic) = first
        && !thread::panicking()
    {
        resume_unwind(panic);
    }
}

/// What a flaw makes of it: those after the first one that panics are leaked.
pub fn drop_until_a_panic<T>(all: Vec<T>) {
    let mut all = ManuallyDrop::new(all.into_iter());
    all.by_ref().for_each(drop);
}
