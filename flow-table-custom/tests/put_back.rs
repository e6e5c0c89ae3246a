//! A flow that its callback puts back each time, due at once, keeps no other flow from being handed over
//! (contract R5).

use std::collections::HashSet;
use std::time::Duration;

use flow_table_custom::FlowTable;
use flow_table_custom::api::{Budget, Flow, NewFlow, Table, TableConfig, Timestamp};

const FLOWS: u32 = 400;
const REAPS: usize = 50;

#[test]
fn a_flow_that_is_put_back_starves_no_other() {
    let at = Timestamp::from_nanos;
    for obstinate in 0..8 {
        let table = FlowTable::<u32, ()>::with_config(TableConfig::new(FLOWS as usize).shards(8));
        for key in 0..FLOWS {
            let timeout = if key == obstinate { 0 } else { 5 };
            let flow = NewFlow::new(key, ()).timeout(Duration::from_nanos(timeout));
            assert!(table.insert(flow, at(100)).is_ok(), "there is room");
        }
        let mut others = HashSet::new();
        for _ in 0..REAPS {
            table.reap_with(at(1_000), Budget::UNLIMITED, |ended| match *ended.flow.key() {
                key if key == obstinate => assert!(table.reinsert(&ended.flow, at(1_000)).is_ok()),
                key => assert!(others.insert(key), "handed over twice"),
            });
        }
        assert_eq!(others.len(), FLOWS as usize - 1, "flow {obstinate} is put back");
    }
}
