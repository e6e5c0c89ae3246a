use std::cell::Cell;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use flow_table::{
    Admission, Direction, Flow, FlowKey, FlowRef, InsertError, Inserted, NewFlow, ReinsertError, Status, Table,
    Timestamp,
};

use crate::soak::body::Body;
use crate::soak::worker::Worker;
use crate::soak::world::RefOf;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    /// Replaces, where that is allowed.
    pub(in crate::soak) fn insert(&mut self) -> Result<()> {
        let (number, now) = (self.number(), self.now());
        if number.is_sheltered() {
            return self.insert_if_absent();
        }
        let flow = self.new_flow(number);
        let serial = flow.value().serial();
        match self.world.table.insert(flow, now) {
            Ok(inserted) => self.inserted(inserted, serial, now),
            Err(error) => self.refused(error, serial),
        }
    }

    pub(in crate::soak) fn insert_if_absent(&mut self) -> Result<()> {
        let (number, now) = (self.number(), self.now());
        let flow = self.new_flow(number);
        let serial = flow.value().serial();
        match self.world.table.insert_if_absent(flow, now) {
            Ok(Admission::Inserted(flow)) => self.inserted(Inserted::new(flow), serial, now),
            Ok(Admission::Existing { holder, key, rejected }) => {
                let Some(rejected) = rejected else { bail!("I2: the rejected flow is gone") };
                self.rejected(&holder, key, &rejected, serial)?;
                self.hold(holder);
                Ok(())
            }
            Err(error) => self.refused(error, serial),
        }
    }

    /// The packet-miss path. The flow is made under no lock, so that the table may be used in the meantime.
    pub(in crate::soak) fn get_or_insert_with(&mut self) -> Result<()> {
        let (number, now) = (self.number(), self.now());
        let key = number.key();
        let world = Arc::clone(&self.world);
        let made = Cell::new(None);
        let mut times = 0;
        let (spec, reply) = self.new_spec(number);
        let admission = world.table.get_or_insert_with(spec, now, || {
            times += 1;
            drop(world.table.lookup(&key, now));
            let body = self.new_body(number, reply);
            made.set(Some(body.serial()));
            body
        });
        ensure!(times <= 1, "I3: the flow was made {times} times");
        match (admission, made.get()) {
            (Ok(Admission::Inserted(flow)), Some(serial)) => self.inserted(Inserted::new(flow), serial, now),
            (Ok(Admission::Existing { holder, key, rejected: Some(rejected) }), Some(serial)) => {
                self.rejected(&holder, key, &rejected, serial)?;
                self.hold(holder);
                Ok(())
            }
            (Ok(Admission::Existing { holder, key: Direction::Forward, rejected: None }), None) => {
                world.found(&key, holder.key_for(holder.direction()), &holder, now)?;
                self.hold(holder);
                Ok(())
            }
            (Err(error), Some(serial)) => self.refused(error, serial),
            (_, made) => bail!("I3: the outcome is not that of flow {made:?} made"),
        }
    }

    pub(in crate::soak) fn reinsert(&mut self) -> Result<()> {
        let now = self.now();
        let Some(flow) = self.some().filter(|flow| !matches!(flow.status(), Status::Active)) else {
            return Ok(());
        };
        let body = flow.value();
        body.put_back();
        match self.world.table.reinsert(&flow, now) {
            Ok(back) => {
                ensure!(back == flow, "I5: another flow was put back");
                self.tally.reinserted += 1;
                self.inserted(Inserted::new(back), body.serial(), now)
            }
            Err(ReinsertError::Full { capacity }) => self.full(capacity),
            Err(ReinsertError::Conflict { holder, key }) => {
                holder.value().check(&*holder)?;
                let wanted = flow.key_for(key);
                ensure!(holder.key_for(holder.direction()) == wanted, "I5: who holds the key does not have it");
                Ok(())
            }
            Err(ReinsertError::Cancelled) => {
                ensure!(flow.status() == Status::Cancelled, "S1: flow {} was cancelled, once", body.serial());
                Ok(())
            }
            // Another thread put it back.
            Err(ReinsertError::Active) => Ok(()),
            Err(error) => bail!("cannot put flow {} back: {error}", body.serial()),
        }
    }

    fn inserted(&mut self, inserted: Inserted<RefOf<T>>, serial: u64, now: Timestamp) -> Result<()> {
        let Inserted { flow, replaced, .. } = inserted;
        self.tally.inserted += 1;
        let body = flow.value();
        body.enter();
        if body.is_sheltered() {
            body.promise(now + flow.timeout());
        }
        body.check(&*flow)?;
        ensure!(body.serial() == serial, "I1: inserted flow {serial}, and got flow {}", body.serial());
        ensure!(flow.direction() == Direction::Forward, "I4: an inserted flow has no direction but its own");
        if let Some(replaced) = replaced {
            self.tally.replaced += 1;
            let old = replaced.value();
            old.check(&*replaced)?;
            old.let_go()?;
            ensure!(!old.is_sheltered(), "S1: flow {} was replaced by nobody", old.serial());
            let status = replaced.status();
            ensure!(
                status == Status::Detached || old.was_put_back(),
                "I1: flow {} was replaced and is {status:?}",
                old.serial()
            );
            self.hold(replaced);
        }
        self.hold(flow);
        Ok(())
    }

    /// The flow that was in the way has the key.
    fn rejected(
        &self,
        holder: &RefOf<T>,
        key: Direction,
        rejected: &NewFlow<FlowKey, Body>,
        serial: u64,
    ) -> Result<()> {
        holder.value().check(&**holder)?;
        ensure!(rejected.value().serial() == serial, "I2: another flow came back");
        let wanted = match key {
            Direction::Forward => Some(rejected.key()),
            Direction::Reply => rejected.reply_key(),
        };
        let held = holder.key_for(holder.direction());
        ensure!(wanted.is_some() && held == wanted, "I2: who holds {wanted:?} has {held:?}");
        Ok(())
    }

    fn refused(&mut self, error: InsertError<FlowKey, Body, RefOf<T>>, serial: u64) -> Result<()> {
        let flow = match error {
            InsertError::Full { flow, capacity } => {
                self.full(capacity)?;
                flow
            }
            InsertError::Conflict { flow, holder, key } => {
                ensure!(key == Direction::Reply, "I1: the forward key was in conflict");
                self.rejected(&holder, key, &flow, serial)?;
                flow
            }
            InsertError::IdenticalKeys { flow } => {
                ensure!(Some(flow.key()) == flow.reply_key(), "I4: different keys were refused");
                flow
            }
            error => bail!("an insertion failed: {error}"),
        };
        ensure!(flow.value().serial() == serial, "C2: another flow came back");
        Ok(())
    }

    fn full(&mut self, capacity: usize) -> Result<()> {
        self.tally.refused += 1;
        let flows = self.world.flows;
        ensure!(capacity <= flows, "C1: full at {capacity} flows, above {flows}");
        Ok(())
    }
}
