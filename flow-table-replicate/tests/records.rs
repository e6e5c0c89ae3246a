//! The format of records, against what one table writes and against any bytes.

use std::time::Duration;

use flow_table_api::{FlowKey, NewFlow, OnExpiry, Table, TableConfig, Timeout, Timestamp};
use flow_table_replicate::codec::{FlowKeys, KeyCodec, Raw};
use flow_table_replicate::record::{Batch, BatchError, HEADER, Kind, MAX_BATCH, Op};
use flow_table_replicate::transport::{MemoryTransport, Source};
use flow_table_replicate::{ClusterKey, Publisher, Replicated, Settings, Sweeper, Tracked};
use proptest::prelude::*;

type Flows =
    Replicated<FlowKey, Vec<u8>, flow_table_custom::FlowTable<FlowKey, Tracked<Vec<u8>>>, (FlowKeys, Raw)>;

fn key() -> FlowKey {
    "tcp 10.0.0.1:40000 > 10.0.0.2:443".parse().unwrap()
}

/// The batches that a table with one flow publishes: live ones, then those of a sweep.
fn batches(value: Vec<u8>) -> Vec<Vec<u8>> {
    let settings = Settings::new(ClusterKey::new([1; 16]));
    let table = Flows::with_settings(TableConfig::new(10), settings, (FlowKeys, Raw));
    let log = MemoryTransport::new(1 << 20);
    let mut publisher = Publisher::new(table.feed(), log.sink());
    let now = Timestamp::from_secs(100);
    let flow = NewFlow::new(key(), value).reply(key().reversed()).timeout(Duration::from_secs(90));
    let flow = table.insert(flow.on_expiry(OnExpiry::Remove), now).unwrap().flow;
    table.touch(&flow, now + Duration::from_secs(10));
    publisher.flush(now);
    Sweeper::new(&table).sweep(&table, || now, || true);
    publisher.flush(now);
    drop(table.remove(&key()));
    publisher.flush(now);
    let mut batches = Vec::new();
    log.source().receive(Duration::ZERO, 100, &mut |batch| batches.push(batch.to_vec()), &mut |_| ());
    batches
}

#[test]
fn a_flow_is_written_as_it_is() {
    let batches = batches(b"state".to_vec());
    let parsed: Vec<_> = batches.iter().map(|batch| Batch::parse(batch).unwrap()).collect();
    let kinds: Vec<_> = parsed.iter().map(|batch| batch.header.kind).collect();
    assert_eq!(kinds, [Kind::Live, Kind::SweepBegin, Kind::Sweep, Kind::SweepEnd, Kind::Live]);
    let records: Vec<_> = parsed.iter().flat_map(Batch::records).map(Result::unwrap).collect();
    let ops: Vec<_> = records.iter().map(|record| record.op).collect();
    assert_eq!(ops, [Op::Begin, Op::Update, Op::Checkpoint, Op::End]);
    let (first, second) = (records[0], records[1]);
    let body = first.body.unwrap();
    assert_eq!(FlowKeys.decode_key(first.key), Ok(key()));
    assert_eq!(body.reply.map(|reply| FlowKeys.decode_key(reply)), Some(Ok(key().reversed())));
    assert_eq!(body.timeout, Timeout::from(Duration::from_secs(90)));
    assert_eq!((body.on_expiry, body.value), (OnExpiry::Remove, &b"state"[..]));
    let remaining = [first, second].map(|record| record.body.unwrap().remaining / 1_000_000_000);
    assert_eq!(remaining, [90, 80]);
    assert!(records.iter().all(|record| record.life == first.life && record.shard == first.shard));
    assert!(first.sequence < second.sequence);
    let end = &parsed[3];
    assert_eq!((end.header.index, end.marks().count()), (1, 256));
    assert_eq!(end.marks().find(|mark| mark.shard == first.shard).unwrap().last, first.life);
}

#[test]
fn what_is_too_long_is_not_written() {
    let records = |len| -> Vec<_> {
        let batches = batches(vec![0; len]);
        batches
            .iter()
            .flat_map(|batch| Batch::parse(batch).unwrap().records().map(|record| record.unwrap().op))
            .collect()
    };
    assert_eq!(records(4096).len(), 4);
    assert_eq!(records(4097), [Op::End]);
}

#[test]
fn later_versions_are_told_from_garbage() {
    let batch = batches(Vec::new()).remove(0);
    let with = |at: usize, byte: u8| {
        let mut bytes = batch.clone();
        bytes[at] = byte;
        Batch::parse(&bytes).err()
    };
    assert_eq!(with(0, 0), Some(BatchError::Magic));
    assert_eq!(with(4, 2), Some(BatchError::Unknown { version: 2, kind: 0 }));
    assert_eq!(with(5, 99), Some(BatchError::Unknown { version: 1, kind: 99 }));
    assert!(matches!(with(20, 0xff), Some(BatchError::Checksum { .. })));
    assert_eq!(Batch::parse(&batch[..HEADER - 1]).err(), Some(BatchError::Length(HEADER - 1)));
    assert_eq!(Batch::parse(&vec![0; MAX_BATCH + 1]).err(), Some(BatchError::Length(MAX_BATCH + 1)));
}

proptest! {
    /// The checksum finds every byte that has changed.
    #[test]
    fn no_changed_byte_passes(at: prop::sample::Index, change in 1..=u8::MAX, value: Vec<u8>) {
        for mut batch in batches(value) {
            let at = at.index(batch.len());
            batch[at] ^= change;
            prop_assert!(Batch::parse(&batch).is_err());
        }
    }

    /// Whatever stands behind a right checksum is read to its end, without a panic.
    #[test]
    fn any_records_are_read(kind in 0..8u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = sealed(kind, &body);
        if let Ok(batch) = Batch::parse(&bytes) {
            prop_assert!(batch.records().count() <= body.len());
            prop_assert!(batch.marks().count() <= body.len() / 13);
        }
    }
}

fn sealed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"FTRL\x01".to_vec();
    bytes.push(kind);
    bytes.resize(36, 0);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes);
    hasher.update(body);
    bytes.extend_from_slice(&hasher.finalize().to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}
