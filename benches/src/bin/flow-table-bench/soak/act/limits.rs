use std::sync::{Arc, TryLockError};
use std::time::Duration;

use anyhow::{Result, ensure};
use flow_table::{FlowKey, Table};

use crate::soak::body::Body;
use crate::soak::worker::Worker;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    /// Sets another capacity, unless another thread is doing so. A capacity below the table's length stops
    /// insertions and removes no flow.
    pub(in crate::soak) fn set_capacity(&mut self) -> Result<()> {
        let world = Arc::clone(&self.world);
        let _changing = match world.capacity.try_lock() {
            Ok(changing) => changing,
            // A value panicked meanwhile.
            Err(TryLockError::Poisoned(changing)) => changing.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let capacity =
            if self.dice.one_in(2) { world.flows } else { world.flows - self.dice.below(world.flows / 2) };
        world.table.set_capacity(capacity);
        ensure!(world.table.capacity() == capacity, "C1: the capacity is not {capacity}");
        // Each other thread may have been let in just before.
        let most = capacity.max(world.table.len()) + world.pulses.len();
        for _ in 0..4 {
            self.lookup()?;
            let len = world.table.len();
            ensure!(len <= most, "C1: {len} flows with a capacity of {capacity}, lowered at {most}");
        }
        Ok(())
    }

    pub(in crate::soak) fn shrink_to_fit(&mut self) -> Result<()> {
        self.world.table.shrink_to_fit();
        Ok(())
    }

    pub(in crate::soak) fn stats(&mut self) -> Result<()> {
        let (table, flows) = (&self.world.table, self.world.flows);
        let stats = table.stats();
        ensure!(stats.flows <= flows, "C1: {stats:?} with room for {flows}");
        ensure!(table.next_deadline().is_none() || stats.bytes > 0, "C5: {stats:?} with flows");
        Ok(())
    }

    /// Moves the time on, mostly by little. About as often as the table may have filled, it moves on by up to two
    /// minutes, so that flows expire which everybody refreshes. Once in a while it moves on by an hour, and rarely
    /// by a month.
    pub(in crate::soak) fn advance(&mut self) -> Result<()> {
        const HOUR: Duration = Duration::from_secs(3600);
        let jump = match self.dice.below(1 << 22) {
            0 => 30 * 24 * HOUR,
            1..256 => HOUR,
            _ if self.dice.one_in(self.world.flows / 4) => Duration::from_millis(self.dice.below(120_000) as u64),
            _ => Duration::from_nanos(self.dice.below(self.step) as u64),
        };
        self.world.clock.advance(jump);
        let (len, flows) = (self.world.table.len(), self.world.flows);
        ensure!(len <= flows, "C1: {len} flows with room for {flows}");
        Ok(())
    }
}
