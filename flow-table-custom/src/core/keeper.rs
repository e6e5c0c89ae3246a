//! Drops the core of a table whose entries outlive the table.
//!
//! # Ground rules
//!
//! * P10. When the table is dropped, it leaves the core here ([`Keeper::leave`]). Then it counts in the entries
//!   that each shard still has in use, under the shard's lock, and marks the shard closed. An operation that
//!   frees an entry of a closed shard counts it out. (An entry that is freed before is counted neither in nor
//!   out.)
//! * The table itself counts for one until it has visited all shards, so that the number does not reach zero
//!   before.
//! * The thread that brings the number to zero gets the core, and drops it once it holds no other reference to
//!   it.

use crate::sync::{AtomicUsize, Mutex, Ordering};

/// Keeps `C`, an owner of the core, while entries are in use after the table has gone.
pub(crate) struct Keeper<C> {
    outstanding: AtomicUsize,
    core: Mutex<Option<C>>,
}

impl<C> Keeper<C> {
    pub(crate) fn new() -> Self {
        Self { outstanding: AtomicUsize::new(0), core: Mutex::new(None) }
    }

    /// The table is being dropped. It counts for one.
    pub(crate) fn leave(&self, core: C) {
        *self.core.lock() = Some(core);
        self.count_in(1);
    }

    /// Counts in the `entries` entries that a shard has in use. The caller has the shard's lock and has marked
    /// the shard closed.
    pub(crate) fn count_in(&self, entries: usize) {
        // Relaxed: the table's own count, not counted out yet, keeps the number above zero. `count_out` orders
        // the rest.
        self.outstanding.fetch_add(entries, Ordering::Relaxed);
    }

    /// Counts out an entry, or the table itself. The last one gets the core.
    #[must_use]
    pub(crate) fn count_out(&self) -> Option<C> {
        // AcqRel: pairs with itself, so that the core is dropped after every thread's last use of it.
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            return self.core.lock().take();
        }
        None
    }
}
