use std::time::Duration;

use anyhow::{Result, ensure};
use flow_table::{EndReason, Ended, Flow, FlowKey, FlowRef, Status, Table};

use crate::soak::body::Body;
use crate::soak::worker::Worker;
use crate::soak::world::RefOf;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    pub(in crate::soak) fn set_deadline(&mut self) -> Result<()> {
        let now = self.now();
        let Some(flow) = self.some_unsheltered() else { return Ok(()) };
        let deadline = match self.dice.below(4) {
            0 => now.saturating_sub(Duration::from_secs(1)),
            1 => now,
            _ => now + Duration::from_millis(self.dice.below(10_000) as u64),
        };
        // It may have ended in the meantime.
        let _ = flow.set_deadline(deadline);
        Ok(())
    }

    pub(in crate::soak) fn set_timeout(&mut self) -> Result<()> {
        let now = self.now();
        let Some(flow) = self.some_unsheltered() else { return Ok(()) };
        let timeout = self.timeout(flow.value().forward()).as_duration();
        // It may have ended in the meantime.
        let _ = flow.set_timeout(timeout, now);
        Ok(())
    }

    /// A cancelled flow is never found again.
    pub(in crate::soak) fn cancel(&mut self) -> Result<()> {
        let now = self.now();
        let Some(flow) = self.some_unsheltered() else { return Ok(()) };
        let body = flow.value();
        if flow.cancel() {
            self.tally.cancelled += 1;
            ensure!(!flow.cancel(), "E1: flow {} was cancelled twice", body.serial());
        }
        let status = flow.status();
        ensure!(
            status != Status::Active || body.was_put_back(),
            "E1: flow {} was cancelled and is {status:?}",
            body.serial()
        );
        if status == Status::Cancelled {
            for number in [Some(body.forward()), body.reply()].into_iter().flatten() {
                let found = self.world.table.lookup(&number.key(), now);
                ensure!(found != Some(flow.clone()), "E1: flow {} was cancelled and is found", body.serial());
            }
        }
        Ok(())
    }

    pub(in crate::soak) fn remove(&mut self) -> Result<()> {
        let number = self.number();
        if number.is_sheltered() {
            return Ok(());
        }
        let key = number.key();
        let Some(flow) = self.world.table.remove(&key) else { return Ok(()) };
        let body = flow.value();
        body.check(&*flow)?;
        body.let_go()?;
        self.tally.removed += 1;
        let held = flow.key_for(flow.direction());
        ensure!(held == Some(&key), "E2: removed {key}, and got flow {} under {held:?}", body.serial());
        ensure!(
            flow.status() == Status::Detached || body.was_put_back(),
            "E2: flow {} was removed and is {:?}",
            body.serial(),
            flow.status()
        );
        self.hold(flow);
        Ok(())
    }

    fn evict(&mut self) -> Result<()> {
        let (looks, dice) = (self.dice.below(20), &mut self.dice);
        let rank = |flow: &RefOf<T>| (!flow.value().is_sheltered()).then(|| dice.below(100));
        let Some(Ended { flow, reason }) = self.world.table.evict(looks, rank) else { return Ok(()) };
        let body = flow.value();
        body.check(&*flow)?;
        body.let_go()?;
        self.tally.evicted += 1;
        ensure!(reason == EndReason::Evicted, "C6: flow {} was evicted for the reason {reason:?}", body.serial());
        ensure!(
            flow.status() == Status::Detached || body.was_put_back(),
            "C6: flow {} was evicted and is {:?}",
            body.serial(),
            flow.status()
        );
        self.hold(flow);
        Ok(())
    }

    pub(in crate::soak) fn remove_flow(&mut self) -> Result<()> {
        if self.dice.one_in(4) {
            return self.evict();
        }
        let now = self.now();
        let Some(flow) = self.some_unsheltered() else { return Ok(()) };
        let body = flow.value();
        if self.world.table.remove_flow(&flow)? {
            body.let_go()?;
            self.tally.removed += 1;
            let found = self.world.table.lookup(&body.forward().key(), now);
            ensure!(
                found.as_ref() != Some(&flow) || body.was_put_back(),
                "E2: flow {} was removed and is found",
                body.serial()
            );
        }
        Ok(())
    }
}
