//! Who drops the table's core when entries outlive the table.
//!
//! # Ground rules
//!
//! * P10. The table leaves the core here as it goes ([`Keeper::leave`]), and then counts in what each shard still
//!   has in use, under the shard's lock, marking the shard closed. Whoever frees an entry of a closed shard counts
//!   it out. (One that is freed before is counted neither in nor out.)
//! * The table itself counts for one until it has seen all shards, so that the number is not zero before.
//! * Whoever brings the number to zero gets the core, and drops it when it has no other reference to it left.

use crate::sync::{AtomicUsize, Mutex, Ordering};

/// What keeps `C`, an owner of the core, while entries are in use after the table has gone.
pub(crate) struct Keeper<C> {
    outstanding: AtomicUsize,
    core: Mutex<Option<C>>,
}

impl<C> Keeper<C> {
    pub(crate) fn new() -> Self {
        Self { outstanding: AtomicUsize::new(0), core: Mutex::new(None) }
    }

    /// The table goes; it counts for one.
    pub(crate) fn leave(&self, core: C) {
        *self.core.lock() = Some(core);
        self.count_in(1);
    }

    /// `entries` entries of a shard are in use. Under its lock, and it is closed from now on.
    pub(crate) fn count_in(&self, entries: usize) {
        // Relaxed: the caller's own one, not counted out yet, keeps the number from zero; `count_out` orders the
        // rest.
        self.outstanding.fetch_add(entries, Ordering::Relaxed);
    }

    /// One that was counted in is gone. The last one gets the core.
    #[must_use]
    pub(crate) fn count_out(&self) -> Option<C> {
        // AcqRel: pairs with itself, so that whoever drops the core does so after everybody's last use of it.
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            return self.core.lock().take();
        }
        None
    }
}
