use std::time::Duration;

use flow_table::{Flow, Table, Timestamp};

use super::full_table;
use crate::Workload;
use crate::data::{Key, Payload, Rounds, TICK};

/// Packets of known flows, one by one: look the flow up, move its deadline, let the handle go. The clock moves, so
/// that every refresh writes. Flows are hit in random order, each once per round, so none expires.
pub struct HitRefresh<T> {
    table: T,
    packets: Rounds,
    now: Timestamp,
}

impl<T: Table<Key, Payload>> Workload for HitRefresh<T> {
    const NAME: &'static str = "hit_refresh";

    fn prepare(flows: usize) -> Self {
        let packets = Rounds::shuffled(0..flows as u64);
        Self { table: full_table(flows, Duration::from_secs(60).into()), packets, now: Timestamp::ZERO }
    }

    fn run(&mut self, operations: u64) {
        let mut granted = 0;
        for _ in 0..operations {
            self.now = self.now + TICK;
            let flow = self.table.lookup(self.packets.next_key(), self.now);
            granted += u64::from(flow.is_some_and(|flow| flow.refresh(self.now)));
        }
        assert_eq!(granted, operations);
    }
}
