use std::collections::HashMap;

use anyhow::{Result, ensure};
use flow_table::{Clock, Flow, FlowKey, Table, Timestamp};

use crate::soak::body::Body;
use crate::soak::worker::Worker;
use crate::soak::world::RefOf;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    /// Removes one in 16 of the flows that may be removed.
    pub(in crate::soak) fn retain(&mut self) -> Result<()> {
        let dice = &mut self.dice;
        let mut refused = 0;
        let removed = self.world.table.retain(|flow| {
            let body = flow.value();
            let keep = body.is_sheltered() || !dice.one_in(16);
            if !keep {
                body.unwanted();
                refused += 1;
            }
            keep
        });
        ensure!(removed <= refused, "E3: {refused} flows were refused and {removed} removed");
        self.tally.removed += removed as u64;
        Ok(())
    }

    /// Uses the table while it walks.
    pub(in crate::soak) fn for_each(&mut self) -> Result<()> {
        let lasting = self.lasting();
        let (world, dice) = (&self.world, &mut self.dice);
        let (mut visited, mut broken) = (Vec::new(), Ok(()));
        let now = world.clock.now();
        world.table.for_each(|flow| {
            visited.push(flow.clone());
            if broken.is_ok() && dice.one_in(64) {
                drop(world.table.lookup(flow.key(), now));
                broken = flow.value().check(&**flow);
            }
        });
        broken?;
        self.walked(&visited, &lasting)
    }

    pub(in crate::soak) fn snapshot(&mut self) -> Result<()> {
        let lasting = self.lasting();
        let flows = self.world.table.snapshot();
        self.walked(&flows, &lasting)
    }

    /// Flows that this thread holds and that are in the table until a time promised.
    fn lasting(&self) -> Vec<(RefOf<T>, Timestamp)> {
        let sheltered =
            self.held.iter().filter(|flow| flow.value().is_sheltered() && !flow.value().was_put_back());
        let promised = sheltered.map(|flow| (flow.clone(), flow.value().promised()));
        let now = self.world.clock.now();
        promised.filter(|(_, promised)| now < *promised).collect()
    }

    /// Checks that each flow that was there all the time was visited, and none twice.
    fn walked(&self, visited: &[RefOf<T>], lasting: &[(RefOf<T>, Timestamp)]) -> Result<()> {
        let mut times: HashMap<u64, u32> = HashMap::with_capacity(visited.len());
        for flow in visited {
            let body = flow.value();
            body.check(&**flow)?;
            let times = times.entry(body.serial()).or_insert(0);
            *times += 1;
            ensure!(*times == 1 || body.was_put_back(), "E3: flow {} was visited twice", body.serial());
        }
        for stable in &self.world.stable {
            let serial = stable.serial();
            ensure!(times.contains_key(&serial), "E3: flow {serial}, which never ends, was not visited");
        }
        let now = self.world.clock.now();
        for (flow, promised) in lasting {
            let body = flow.value();
            let missed = now < *promised && !body.was_put_back() && !times.contains_key(&body.serial());
            ensure!(!missed, "E3: flow {} was there and was not visited", body.serial());
        }
        Ok(())
    }
}
