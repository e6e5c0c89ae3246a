//! The protocols of this crate under loom, which explores every interleaving and every value that a weakly
//! ordered load may return.
//!
//! `scripts/loom` runs them. Each module puts one protocol's real parts ([`RefWord`](crate::flows::RefWord),
//! [`Segment`](crate::index::Segment), [`Keeper`](crate::core::Keeper) …) between two or three threads, and
//! has variants of the protocol that are wrong on purpose, which loom must refuse: a model that accepts those
//! proves nothing.
//!
//! # Ground rules
//!
//! * A [`Payload`] stands for the key and value of a flow. Loom reports races of accesses to it, and the
//!   payload itself reports every access while there is no flow.
//! * The real code takes entries and buckets from memory that is all zeros. Loom's atomics must be made, so models
//!   make words and buckets where the real code finds them.
//! * Loom lets a sequentially consistent load overlook a store only if the value it reads then was not stored
//!   sequentially consistently itself; the language is stricter. So models bring words that need the total order
//!   into being with such an operation, before threads start.
//! * Loom does not see that a store could have come before another thread's load of the word if the storing
//!   thread has loaded the word in between. So a thread that mostly loads is spawned, and one that mostly
//!   stores runs first, on the model's own thread.

mod asking;
mod borrowing;
mod counting;
mod ending;
mod leaving;
mod missing;
mod moving;
mod noticing;
mod paging;
mod refreshing;
mod returning;
mod reusing;
mod segment;
mod taking;
mod waking;

use loom::cell::UnsafeCell;
use loom::model::Builder;

/// Explores every execution of `model`.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    Builder::new().check(model);
}

/// Explores the executions of `model` with at most `switches` unforced switches of threads, for what is too large
/// otherwise.
fn explore_within(switches: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}

/// The key and value of a flow in a model: they are there or not, and their number is the flow's.
struct Payload(UnsafeCell<Option<u32>>);

// SAFETY: all accesses are whole calls of loom's cell, which panics if two of them race.
unsafe impl Sync for Payload {}

impl Payload {
    fn of(flow: u32) -> Self {
        Self(UnsafeCell::new(Some(flow)))
    }

    /// No flow is there yet.
    fn none() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn write(&self, flow: u32) {
        // SAFETY: loom has checked that nobody else accesses the cell.
        let before = self.0.with_mut(|payload| unsafe { payload.replace(Some(flow)) });
        assert_eq!(before, None, "written over a flow");
    }

    fn read(&self) -> u32 {
        // SAFETY: loom has checked that nobody writes to the cell.
        self.0.with(|payload| unsafe { *payload }).expect("read, but nobody is there")
    }

    fn clear(&self) {
        // SAFETY: as in `write`.
        let before = self.0.with_mut(|payload| unsafe { payload.replace(None) });
        assert!(before.is_some(), "dropped twice");
    }

    fn is_there(&self) -> bool {
        // SAFETY: as in `read`.
        self.0.with(|payload| unsafe { (*payload).is_some() })
    }
}
