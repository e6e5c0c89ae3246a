use flow_table::{Table, Timeout, Timestamp};

use super::full_table;
use crate::Workload;
use crate::data::{Key, Payload, Rounds};

/// Packets of no known flow in a full table: what a scan or a flood looks up. There are as many unknown keys as
/// flows.
pub struct Miss<T> {
    table: T,
    packets: Rounds,
}

impl<T: Table<Key, Payload>> Workload for Miss<T> {
    const NAME: &'static str = "miss";

    fn prepare(flows: usize) -> Self {
        let count = flows as u64;
        Self { table: full_table(flows, Timeout::NEVER), packets: Rounds::shuffled(count..2 * count) }
    }

    fn run(&mut self, operations: u64) {
        let mut found = 0;
        for _ in 0..operations {
            found += u64::from(self.table.lookup(self.packets.next_key(), Timestamp::ZERO).is_some());
        }
        assert_eq!(found, 0);
    }
}
