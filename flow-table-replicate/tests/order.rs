//! Threads that insert, replace, remove, cancel and reinsert flows under the same few keys: what they record
//! leads to the same table, without any sweep. So the lives of flows under one key are in the order of their
//! stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use flow_table_api::{Budget, Flow as _, FlowKey, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::transport::MemoryTransport;
use flow_table_replicate::{ClusterKey, Publisher, Replicated, Settings, Standby, Tracked};

const THREADS: u64 = 4;
const ROUNDS: u32 = 300;
const NOW: Timestamp = Timestamp::from_secs(1);

fn key(id: u8) -> FlowKey {
    format!("udp 10.0.0.{id}:1000 > 10.9.9.9:53").parse().unwrap()
}

/// One thread's share of a round. It hands its buffer over at the end.
fn act<T: Table<FlowKey, Tracked<u64>>>(table: &Replicated<FlowKey, u64, T>, seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut held = Vec::new();
    for _ in 0..dice.u32(1..20) {
        let key = key(dice.u8(0..3));
        let flow = NewFlow::new(key, dice.u64(..)).timeout(Duration::from_secs(1_000));
        match dice.u8(0..8) {
            0..3 => drop(table.insert(flow, NOW).map(|inserted| held.push(inserted.flow))),
            3 => drop(table.insert_if_absent(flow, NOW)),
            4 => drop(table.remove(&key)),
            5 => drop(table.lookup(&key, NOW).map(|flow| flow.cancel())),
            6 => drop(held.pop().map(|flow| table.reinsert(&flow, NOW))),
            _ => drop(table.reap_local(NOW, Budget::UNLIMITED)),
        }
    }
    table.feed().flush();
}

fn view<T: Table<FlowKey, Tracked<u64>>>(table: &Replicated<FlowKey, u64, T>) -> BTreeMap<FlowKey, u64> {
    table.snapshot().iter().map(|flow| (*flow.key(), *flow.value())).collect()
}

fn what_threads_record_leads_to_the_same_table<T: Table<FlowKey, Tracked<u64>> + 'static>() {
    let settings = Settings::new(ClusterKey::new([2; 16]));
    let table = |settings| {
        Arc::new(Replicated::<_, _, T>::with_settings(TableConfig::new(1_000), settings, (FlowKeys, Postcard)))
    };
    for round in 0..ROUNDS {
        let (owner, standby) = (table(settings.clone()), table(settings.clone().standby()));
        let log = MemoryTransport::new(1 << 24);
        let mut publisher = Publisher::new(owner.feed(), log.sink());
        let start = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (owner, start) = (&owner, &start);
                scope.spawn(move || {
                    start.wait();
                    act(owner, u64::from(round) * THREADS + thread);
                });
            }
        });
        owner.reap(NOW, Budget::UNLIMITED);
        while publisher.flush(NOW) {}
        let mut follower = Standby::new(Arc::clone(&standby), log.source());
        while follower.poll(NOW, Duration::ZERO, 100) > 0 {}
        assert_eq!(view(&standby), view(&owner), "round {round}");
        assert_eq!(owner.feed().counters().dropped, 0);
    }
}

#[test]
fn what_threads_record_leads_to_the_same_table_custom() {
    what_threads_record_leads_to_the_same_table::<flow_table_custom::FlowTable<FlowKey, Tracked<u64>>>();
}

#[test]
fn what_threads_record_leads_to_the_same_table_dashmap() {
    what_threads_record_leads_to_the_same_table::<flow_table_dashmap::FlowTable<FlowKey, Tracked<u64>>>();
}
