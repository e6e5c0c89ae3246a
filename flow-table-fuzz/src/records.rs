//! Batches of records, as a standby reads them from its log.
//!
//! The bytes are batches one after the other: five bytes of header (kind, origin, number, sweep, index), the
//! length of the rest in two bytes, and the rest. They get a right checksum, so that what stands behind it is
//! reached. The bytes as they are must be read or refused, too.

use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Budget, FlowKey, Table, TableConfig, Timestamp};
use flow_table_custom::FlowTable;
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::record::{Batch, HEADER};
use flow_table_replicate::transport::{MemoryTransport, Sink};
use flow_table_replicate::{ClusterKey, Replicated, Settings, Standby, Tracked};

const CAPACITY: usize = 8;

type Flows = Replicated<FlowKey, u32, FlowTable<FlowKey, Tracked<u32>>, (FlowKeys, Postcard)>;

/// Lets a table follow the batches, twice.
pub fn check(bytes: &[u8]) {
    if let Ok(batch) = Batch::parse(bytes) {
        assert!(batch.records().count() + batch.marks().count() <= bytes.len());
    }
    let settings = Settings::new(ClusterKey::new([0; 16])).standby().tombstones(4);
    let table =
        Arc::new(Flows::with_settings(TableConfig::new(CAPACITY).hash_seed(1), settings, (FlowKeys, Postcard)));
    let log = MemoryTransport::new(1 << 20);
    let (mut sink, mut standby) = (log.sink(), Standby::new(Arc::clone(&table), log.source()));
    let batches = batches(bytes);
    for now in [Timestamp::ZERO, Timestamp::from_secs(1_000)] {
        batches.iter().for_each(|batch| sink.send(0, batch).expect("memory takes everything"));
        while standby.poll(now, Duration::ZERO, 16) > 0 {
            assert!(table.len() <= CAPACITY);
        }
        table.inner().verify().unwrap_or_else(|error| panic!("{error}"));
        table.reap(now, Budget::flows(3));
    }
    assert_eq!(table.feed().counters().received, 2 * batches.len() as u64);
    assert_eq!(table.feed().ownership().owned().len(), 0, "nobody makes a standby an owner");
}

fn batches(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    while let Some((&[kind, origin, number, sweep, index, low, high], rest)) = bytes.split_first_chunk() {
        let (body, rest) = rest.split_at(rest.len().min(u16::from_le_bytes([low, high]).into()));
        bytes = rest;
        let mut batch = b"FTRL\x01".to_vec();
        batch.extend_from_slice(&[kind, 0, 0]);
        for field in [origin, number, sweep] {
            batch.extend_from_slice(&u64::from(field).to_le_bytes());
        }
        batch.extend_from_slice(&u32::from(index).to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&batch);
        sum.update(body);
        batch.extend_from_slice(&sum.finalize().to_le_bytes());
        assert_eq!(batch.len(), HEADER);
        batch.extend_from_slice(body);
        assert!(!matches!(Batch::parse(&batch), Err(error) if kind < 6 && error.to_string().contains("checksum")));
        batches.push(batch);
    }
    batches
}
