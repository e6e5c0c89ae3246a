//! Flows that never end, put into the table before the threads start.

use anyhow::{Result, ensure};
use flow_table::{FlowKey, NewFlow, Table, Timeout, Timestamp};

use super::body::Body;
use super::number::Number;
use super::stable::Stable;
use super::tally::Tally;
use super::world::World;

/// The number that stands for a thread in the serial numbers of values made before there are threads.
const BEFORE: u64 = 1 << 21;

impl<T: Table<FlowKey, Body>> World<T> {
    /// Inserts the flows that never end, while others fill the table. So they are where there was room, also
    /// behind full buckets. The others end again.
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
            self.stable.push(Stable::new(serial, forward, reply));
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
