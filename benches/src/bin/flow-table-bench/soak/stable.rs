//! Flows that never end: whatever comes and goes beside them, they are found.

use anyhow::{Error, Result, ensure};
use flow_table::{Flow, FlowKey, NewFlow, Table, Timeout, Timestamp};

use super::body::Body;
use super::number::Number;
use super::tally::Tally;
use super::world::World;

/// A flow that never ends. It has one key or two.
pub(super) struct Stable {
    serial: u64,
    forward: Number,
    reply: Option<Number>,
}

/// The number that stands for a thread in the serial numbers of values made before there are threads.
const BEFORE: u64 = 1 << 21;

impl Stable {
    const fn count(flows: usize) -> usize {
        if flows / 2 < 1024 { flows / 2 } else { 1024 }
    }

    /// The numbers that keys of these flows are made of; every second one is sheltered.
    pub(super) const fn numbers(flows: usize) -> usize {
        4 * Self::count(flows)
    }

    pub(super) const fn serial(&self) -> u64 {
        self.serial
    }

    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = FlowKey> {
        [Some(self.forward), self.reply].into_iter().flatten().map(Number::key)
    }

    /// A look-up of `key`, one of its keys, has found `found`.
    pub(super) fn found(
        &self,
        key: &FlowKey,
        found: Option<&impl Flow<FlowKey, Body>>,
        now: Timestamp,
    ) -> Result<()> {
        let serial = self.serial;
        let Some(flow) = found else {
            return Err(Error::msg(format!("L1: {key} does not find flow {serial}, which never ends")));
        };
        let other = flow.value().serial();
        ensure!(other == serial, "L1: {key} finds flow {other} and not flow {serial}, which never ends");
        ensure!(flow.is_live(now), "L2: flow {serial}, which never ends, is {:?}", flow.state().load());
        flow.value().check(flow)
    }
}

impl<T: Table<FlowKey, Body>> World<T> {
    /// Inserts the flows that never end, while others fill the table: so they stand where there was room, also
    /// behind full buckets. The others go again.
    pub(super) fn settle(&mut self, tally: &mut Tally) -> Result<()> {
        let stable = Stable::count(self.flows);
        let others: Vec<_> = self.numbers[..self.flows - stable].to_vec();
        for &number in &others {
            self.put(number, None, tally)?;
        }
        let numbers: Vec<_> =
            self.stable_numbers().iter().copied().filter(|number| number.is_sheltered()).collect();
        for (place, pair) in numbers.chunks_exact(2).enumerate() {
            let (forward, reply) = (pair[0], place.is_multiple_of(2).then_some(pair[1]));
            let serial = self.put(forward, reply, tally)?;
            self.stable.push(Stable { serial, forward, reply });
        }
        for number in others {
            let removed = self.table.remove(&number.key());
            ensure!(removed.is_some(), "E2: {} was inserted and cannot be removed", number.key());
            tally.removed += 1;
        }
        Ok(())
    }

    fn put(&self, forward: Number, reply: Option<Number>, tally: &mut Tally) -> Result<u64> {
        let serial = BEFORE << 40 | tally.made.count;
        tally.made.add(serial);
        let flow =
            NewFlow::new(forward.key(), Body::new(serial, forward, reply, &self.ledger)).timeout(Timeout::NEVER);
        let flow = match reply {
            Some(reply) => flow.reply(reply.key()),
            None => flow,
        };
        let admitted = self.table.insert_if_absent(flow, Timestamp::ZERO);
        ensure!(
            admitted.is_ok_and(|admission| admission.is_inserted()),
            "C2: there was room for {}",
            forward.key()
        );
        tally.inserted += 1;
        Ok(serial)
    }
}
