//! What values do with the table while they are dropped.

use std::ops::Deref;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use flow_table::{Admission, Burst, Clock, Flow, FlowKey, InsertError, NewFlow, Table, Timestamp};

use super::body::Body;
use super::number::Number;
use super::tally::Tally;
use super::temper::Called;
use super::world::World;

/// The number that stands for a thread in the serial numbers of values made while others are dropped.
const IN_DROPS: u64 = 1 << 20;

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
