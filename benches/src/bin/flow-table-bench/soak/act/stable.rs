use std::mem::forget;
use std::sync::Arc;

use anyhow::{Result, ensure};
use flow_table::{Burst, FlowKey, Table};

use crate::soak::body::Body;
use crate::soak::stable::Stable;
use crate::soak::worker::Worker;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    /// Looks some flows up that never end, one by one, in a batch or in a burst.
    pub(in crate::soak) fn stable(&mut self) -> Result<()> {
        let world = Arc::clone(&self.world);
        let now = self.now();
        let some: Vec<&Stable> = (0..self.dice.below(16)).filter_map(|_| self.dice.pick(&world.stable)).collect();
        let (flows, keys): (Vec<_>, Vec<_>) =
            some.into_iter().flat_map(|flow| flow.keys().map(move |key| (flow, key))).unzip();
        let pairs = || flows.iter().zip(&keys);
        match self.dice.below(4) {
            0 => pairs().try_for_each(|(flow, key)| flow.found(key, world.table.lookup(key, now).as_deref(), now)),
            1 => {
                let mut found = Vec::new();
                world.table.lookup_batch(&keys, now, &mut found);
                ensure!(found.len() == keys.len(), "L5: {} answers to {} keys", found.len(), keys.len());
                pairs().zip(found).try_for_each(|((flow, key), found)| flow.found(key, found.as_deref(), now))
            }
            2 => {
                let burst = world.table.burst(now);
                pairs().try_for_each(|(flow, key)| flow.found(key, burst.get(key).as_deref(), now))
            }
            _ => {
                let burst = world.table.burst(now);
                let mut found = Vec::new();
                burst.get_batch(&keys, &mut found);
                ensure!(found.len() == keys.len(), "L5: {} answers to {} keys", found.len(), keys.len());
                pairs().zip(found).try_for_each(|((flow, key), found)| flow.found(key, found.as_deref(), now))
            }
        }
    }

    /// Opens a burst that never closes.
    pub(in crate::soak) fn forget_a_burst(&mut self) {
        let world = Arc::clone(&self.world);
        let (keys, now) = (self.keys(), self.now());
        let burst = world.table.burst(now);
        let mut found = Vec::new();
        burst.get_batch(&keys, &mut found);
        drop(found);
        forget(burst);
    }
}
