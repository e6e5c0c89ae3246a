use flow_table::{Budget, NewFlow, Table, Timeout, Timestamp};

use crate::Workload;
use crate::data::{Key, Payload, Rounds, TICK};

/// Conversations of one packet, one after the other: expire the oldest flow, insert a new one. The table stays
/// full. Each key comes back long after its flow has expired.
pub struct Churn<T> {
    table: T,
    flows: usize,
    packets: Rounds,
    timeout: Timeout,
    now: Timestamp,
}

impl<T: Table<Key, Payload>> Churn<T> {
    fn insert_next(&mut self) {
        let flow = NewFlow::new(*self.packets.next_key(), [0; 8]).timeout(self.timeout);
        self.table.insert(flow, self.now).expect("the table has room");
    }
}

impl<T: Table<Key, Payload>> Workload for Churn<T> {
    const NAME: &'static str = "churn";

    fn prepare(flows: usize) -> Self {
        let ticks = u32::try_from(flows).expect("fewer than 2³² flows");
        let packets = Rounds::shuffled(0..2 * u64::from(ticks));
        let mut churn =
            Self { table: T::new(flows), flows, packets, timeout: (TICK * ticks).into(), now: Timestamp::ZERO };
        for _ in 0..flows {
            churn.now = churn.now + TICK;
            churn.insert_next();
        }
        churn
    }

    fn run(&mut self, operations: u64) {
        let mut expired = 0;
        for _ in 0..operations {
            self.now = self.now + TICK;
            expired += self.table.reap(self.now, Budget::UNLIMITED).expired as u64;
            self.insert_next();
        }
        assert_eq!(expired, operations);
        assert_eq!(self.table.len(), self.flows);
    }
}
