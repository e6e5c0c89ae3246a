//! Limits how deeply the ends of flows are nested.
//!
//! The drop of a value may use the table, and so drop another flow: by a reap, or because it held the last handle.
//! If many values do that, as in a chain or in a table full of due flows, the stack would grow with their number.
//! So if many such ends are nested on a thread, the next one is deferred to the outermost.

use std::cell::RefCell;

use crossbeam::queue::SegQueue;

use crate::base::panics::Panics;

/// The number of ends of one table's flows that may be nested on a thread.
const DEEPEST: usize = 32;

thread_local! {
    /// The tables whose flows this thread is ending, by address, the innermost last.
    static ENDING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The ends that a table's threads have deferred.
pub(crate) struct Nesting<T>(SegQueue<T>);

impl<T> Nesting<T> {
    pub(crate) const fn new() -> Self {
        Self(SegQueue::new())
    }

    /// Calls `end` with `item`, or defers this to an outer call on this thread. The first panic continues when
    /// everything is done.
    #[inline]
    pub(crate) fn end(&self, item: T, end: impl Fn(T, &mut Panics)) {
        let level = Level::enter(std::ptr::from_ref(self).addr());
        if level.depth >= DEEPEST {
            self.0.push(item);
            return;
        }
        let mut panics = Panics::default();
        end(item, &mut panics);
        if level.depth == 0 {
            while let Some(next) = self.0.pop() {
                end(next, &mut panics);
            }
        }
        drop(level);
        panics.resume();
    }
}

/// One end, and how many others of its table it is nested in.
struct Level {
    depth: usize,
}

impl Level {
    fn enter(table: usize) -> Self {
        let enter = |ending: &RefCell<Vec<usize>>| {
            let mut ending = ending.borrow_mut();
            let depth = ending.iter().filter(|other| **other == table).count();
            ending.push(table);
            depth
        };
        // While a thread's last locals are dropped, nothing is counted.
        Self { depth: ENDING.try_with(enter).unwrap_or(0) }
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        let _ = ENDING.try_with(|ending| ending.borrow_mut().pop());
    }
}
