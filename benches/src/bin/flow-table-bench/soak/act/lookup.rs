use std::sync::Arc;

use anyhow::{Result, ensure};
use flow_table::{Borrowed, Burst, Clock, Flow, FlowKey, FlowRef, Table, Timestamp};

use crate::soak::body::Body;
use crate::soak::worker::Worker;
use crate::soak::world::{FlowOf, RefOf};

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    pub(in crate::soak) fn lookup(&mut self) -> Result<()> {
        let (key, now) = (self.number().key(), self.now());
        match self.world.table.lookup(&key, now) {
            Some(flow) => self.found(&key, flow, now),
            None => Ok(()),
        }
    }

    pub(in crate::soak) fn lookup_batch(&mut self) -> Result<()> {
        let (keys, now) = (self.keys(), self.now());
        let mut found = Vec::new();
        self.world.table.lookup_batch(&keys, now, &mut found);
        ensure!(found.len() == keys.len(), "L5: {} answers to {} keys", found.len(), keys.len());
        for (key, flow) in keys.iter().zip(found) {
            if let Some(flow) = flow {
                self.found(key, flow, now)?;
            }
        }
        Ok(())
    }

    /// Borrows flows, does something else, and finds them as they were.
    pub(in crate::soak) fn burst(&mut self) -> Result<()> {
        let world = Arc::clone(&self.world);
        let (keys, single, now) = (self.keys(), self.number().key(), self.now());
        let burst = world.table.burst(now);
        ensure!(burst.now() == now, "U1: the burst has another time");
        let mut found = Vec::new();
        burst.get_batch(&keys, &mut found);
        ensure!(found.len() == keys.len(), "L5: {} answers to {} keys", found.len(), keys.len());
        let mut borrowed = Vec::new();
        for (key, flow) in keys.iter().zip(found).chain([(&single, burst.get(&single))]) {
            let Some(flow) = flow else { continue };
            world.found(key, flow.key_for(flow.direction()), flow.flow(), now)?;
            self.refreshed(flow.flow(), now)?;
            borrowed.push((flow, flow.value().serial()));
        }

        self.open_bursts += 1;
        for _ in 0..self.dice.below(8) {
            self.act()?;
        }
        self.open_bursts -= 1;

        for (flow, serial) in borrowed {
            let body = flow.value();
            ensure!(body.serial() == serial, "U2: the flow {serial} went while a burst was open");
            body.check(flow.flow())?;
            if self.dice.one_in(8) {
                self.keep(&burst, flow)?;
            }
        }
        Ok(())
    }

    /// Makes a handle of a borrowed flow.
    fn keep<'b, B>(&mut self, burst: &'b B, flow: Borrowed<'b, FlowOf<T>>) -> Result<()>
    where
        B: Burst<FlowKey, Body, Flow = FlowOf<T>, Ref = RefOf<T>>,
    {
        if let Some(handle) = burst.handle(flow) {
            ensure!(std::ptr::eq(handle.value(), flow.value()), "U1: the handle is to another flow");
            ensure!(handle.direction() == flow.direction(), "U1: the handle has another direction");
            self.hold(handle);
        }
        Ok(())
    }

    pub(in crate::soak) fn refresh(&mut self) -> Result<()> {
        let now = self.now();
        let Some(flow) = self.some() else { return self.lookup() };
        self.refreshed(&flow, now)?;
        let body = flow.value();
        body.check(&*flow)?;
        if !body.is_sheltered() || body.was_put_back() {
            return Ok(());
        }
        // What was promised of the flow is kept for as long as no clock has shown a later time.
        let key = body.forward().key();
        let promised = body.promised();
        let found = self.world.table.lookup(&key, now);
        if self.world.clock.now() < promised && !body.was_put_back() {
            let state = flow.state().load();
            ensure!(
                found.as_ref() == Some(&flow),
                "D2: flow {} is not found and is {state:?}, refreshed until {promised:?}",
                body.serial()
            );
        }
        Ok(())
    }

    fn found(&mut self, key: &FlowKey, flow: RefOf<T>, now: Timestamp) -> Result<()> {
        self.world.found(key, flow.key_for(flow.direction()), &flow, now)?;
        self.refreshed(&flow, now)?;
        if self.dice.one_in(4) {
            self.hold(flow);
        }
        Ok(())
    }

    /// Refreshes the flow: a granted refresh moves the deadline.
    fn refreshed(&self, flow: &FlowOf<T>, now: Timestamp) -> Result<()> {
        let body = flow.value();
        if !flow.refresh(now) {
            return Ok(());
        }
        if body.is_sheltered() {
            // Nobody changes its timeout.
            let granted = now + flow.timeout();
            body.promise(granted);
            let deadline = flow.deadline();
            ensure!(
                deadline >= granted || body.was_put_back(),
                "D1: flow {} was refreshed until {granted:?}, and its deadline is {deadline:?}",
                body.serial()
            );
        }
        Ok(())
    }

    /// A burst of packets: some 32 keys, and some of them more than once.
    pub(super) fn keys(&mut self) -> Vec<FlowKey> {
        let count = 1 + self.dice.below(48);
        (0..count).map(|_| self.number().key()).collect()
    }
}
