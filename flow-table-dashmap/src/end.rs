//! The end of a flow that nobody has a reference to any more.
//!
//! The drop of a value may use the table, and so drop another flow: by a reap, by an insertion that makes room, or
//! because it held the last handle. If values do that in a row, as those of a chain or of a table full of due
//! flows do, the stack would grow with their number. So where many such drops are nested on a thread the next flow
//! is put off, on a list of its table, and dropped by the outermost.

use std::cell::RefCell;
use std::sync::Arc;

use crate::flow::Record;
use crate::panics::Panics;

/// So many drops of one table's flows may be nested on a thread.
const DEEPEST: usize = 32;

thread_local! {
    /// The tables whose flows this thread is dropping, the innermost last.
    static ENDING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// One drop, within so many others of its table.
struct Nested {
    depth: usize,
}

impl Nested {
    fn enter(table: u64) -> Self {
        let enter = |ending: &RefCell<Vec<u64>>| {
            let mut ending = ending.borrow_mut();
            let depth = ending.iter().filter(|other| **other == table).count();
            ending.push(table);
            depth
        };
        // The last locals of a thread are dropped without a count.
        Self { depth: ENDING.try_with(enter).unwrap_or(0) }
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let _ = ENDING.try_with(|ending| ending.borrow_mut().pop());
    }
}

impl<K, V> Record<K, V> {
    /// Drops the flow, or leaves that to an outer drop on this thread. Runs under no lock.
    pub(crate) fn end(self) {
        let home = Arc::clone(&self.home);
        let shared = &home.shared;
        let nested = Nested::enter(shared.registry.table());
        if nested.depth >= DEEPEST {
            shared.put_off.push(self);
            return;
        }
        let mut panics = Panics::default();
        self.drop_parts(&mut panics);
        if nested.depth == 0 {
            while let Some(next) = shared.put_off.pop() {
                next.drop_parts(&mut panics);
            }
        }
        drop(nested);
        panics.resume();
    }

    /// The last holder removes the dead slots itself, so none ever waits to be found. Before the value is dropped:
    /// its `Drop` may call the table.
    fn drop_parts(self, panics: &mut Panics) {
        if let Some(id) = self.id() {
            panics.drop_each(self.remove_slots(id));
        }
        let Self { key, reply, value, .. } = self;
        panics.catch(|| drop(key));
        panics.catch(|| drop(reply));
        panics.catch(|| drop(value));
    }
}
