//! Values that do something when they are dropped.

use std::hint;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{OnceLock, Weak};
use std::thread;

use flow_table_benches::data::mix;

/// What the values of a table do when they are dropped. They are calm at first.
#[derive(Default)]
pub(super) struct Temper {
    table: OnceLock<Weak<dyn Called>>,
    mood: AtomicU8,
    panics: AtomicU64,
}

/// The payload of a value's panic.
pub(super) struct Outburst;

/// A table that values call.
pub(super) trait Called: Send + Sync {
    /// Some value is being dropped.
    fn call(&self, draw: u64, bursts: bool);
}

/// The mood of the values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// They do nothing, so that the table can be looked at.
    Calm,
    /// Some use the table.
    Busy,
    /// Some open bursts besides, and some panic.
    Hostile,
}

impl Temper {
    /// The table that values call.
    pub(super) fn meet(&self, table: Weak<dyn Called>) {
        self.table.get_or_init(|| table);
    }

    pub(super) fn set(&self, mood: Mood) {
        // Relaxed: starting and joining the threads orders this.
        self.mood.store(mood as u8, Ordering::Relaxed);
    }

    /// Panics of values so far.
    pub(super) fn panics(&self) -> u64 {
        // Relaxed: read at rest.
        self.panics.load(Ordering::Relaxed)
    }

    /// The value `serial` is being dropped.
    pub(super) fn burst_out(&self, serial: u64) {
        // Relaxed: as in `set`.
        let mood = self.mood.load(Ordering::Relaxed);
        if mood == Mood::Calm as u8 {
            return;
        }
        let (draw, hostile) = (mix(!serial), mood == Mood::Hostile as u8);
        dawdle(draw >> 48);
        if draw.is_multiple_of(4)
            && let Some(table) = self.table.get().and_then(Weak::upgrade)
        {
            table.call(draw >> 2, hostile);
        }
        // A second panic while one unwinds would end the process, as everywhere in Rust.
        if hostile && (draw >> 32).is_multiple_of(512) && !thread::panicking() {
            self.panics.fetch_add(1, Ordering::Relaxed);
            resume_unwind(Box::new(Outburst));
        }
    }
}

/// The drops of some values take long, like those of values that own much. The table must work in the meantime.
fn dawdle(draw: u64) {
    match draw % 64 {
        0 => thread::yield_now(),
        1..16 => (0..8 * (draw & 15)).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}
