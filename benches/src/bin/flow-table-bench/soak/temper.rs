//! Values that do something when they are dropped.

use std::hint;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use flow_table::{Admission, Burst, Clock, Flow, FlowKey, InsertError, NewFlow, Table, Timestamp};
use flow_table_benches::data::mix;

use super::body::Body;
use super::number::Number;
use super::tally::Tally;
use super::world::World;

/// What the values of a table do when they are dropped. They are calm at first.
#[derive(Default)]
pub(super) struct Temper {
    table: OnceLock<Weak<dyn Called>>,
    mood: AtomicU8,
    panics: AtomicU64,
}

/// What a value panics with.
pub(super) struct Outburst;

/// The number that stands for a thread in the serial numbers of values made while others are dropped.
const IN_DROPS: u64 = 1 << 20;

/// A table that values call.
trait Called: Send + Sync {
    /// Some value is being dropped.
    fn call(&self, draw: u64, bursts: bool);
}

/// How the values are minded.
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
    pub(super) fn meet<T: Table<FlowKey, Body> + 'static>(&self, table: Weak<World<T>>) {
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

/// Some values take their time to go, as those do that own much. What the table does meanwhile must be right.
fn dawdle(draw: u64) {
    match draw % 64 {
        0 => thread::yield_now(),
        1..16 => (0..8 * (draw & 15)).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}

impl<T: Table<FlowKey, Body> + 'static> Called for World<T> {
    fn call(&self, draw: u64, bursts: bool) {
        let number = self.some_number(draw as usize >> 4);
        let outcome = match draw % 4 {
            0 => self.insert_in_drop(number),
            1 if bursts => {
                let burst = self.table.burst(self.clock.now());
                self.find_in_drop(number, |key, _| burst.get(key))
            }
            _ => self.find_in_drop(number, |key, now| self.table.lookup(key, now)),
        };
        if let Err(violation) = outcome {
            self.verdict.violated(violation);
        }
    }
}

impl<T: Table<FlowKey, Body>> World<T> {
    /// What values did while they were dropped.
    pub(super) fn in_drops(&self) -> MutexGuard<'_, Tally> {
        self.in_drops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_in_drop<F: Deref<Target = T::Flow>>(
        &self,
        number: Number,
        find: impl FnOnce(&FlowKey, Timestamp) -> Option<F>,
    ) -> Result<()> {
        let (key, now) = (number.key(), self.clock.now());
        find(&key, now).map_or(Ok(()), |flow| flow.value().check(&*flow))
    }

    fn insert_in_drop(&self, number: Number) -> Result<()> {
        let serial = {
            let made = &mut self.in_drops().made;
            let serial = IN_DROPS << 40 | made.count;
            made.add(serial);
            serial
        };
        let body = Body::new(serial, number, None, &self.ledger);
        let flow = NewFlow::new(number.key(), body).timeout(Duration::from_millis(1));
        match self.table.insert_if_absent(flow, self.clock.now()) {
            Ok(Admission::Inserted(flow)) => {
                flow.value().enter();
                self.in_drops().inserted += 1;
            }
            Ok(Admission::Existing { .. }) => {}
            Err(InsertError::Full { .. }) => self.in_drops().refused += 1,
            Err(error) => bail!("an insertion failed: {error}"),
        }
        Ok(())
    }
}
