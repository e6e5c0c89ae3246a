//! Flows that were inserted with a wrong hash: they do no harm to others, however they end.

use flow_table_custom::FlowTable;
use flow_table_custom::api::{Budget, Flow, KeyHash, NewFlow, Table, TableConfig, Timestamp};

type Flows = FlowTable<u64, ()>;

const NOW: Timestamp = Timestamp::ZERO;
/// The bit of a hash that chooses between two buckets.
const BUCKET: u64 = 1 << 40;

/// A table in which one flow more than a bucket holds is at home in bucket 0 of 2, the last of them in bucket 1;
/// these flows' keys; and further keys that are at home there.
fn overflowing() -> (Flows, Vec<u64>, Vec<u64>) {
    let table = Flows::with_config(TableConfig::new(10_000).hash_seed(1));
    let is_alike = |key: &u64| {
        let hash = table.hash(key).get();
        hash >> 53 == 5 && hash & BUCKET == 0
    };
    let keys: Vec<u64> = (0..).filter(is_alike).take(18).collect();
    let (there, others) = keys.split_at(13);
    there.iter().for_each(|&key| drop(table.insert(NewFlow::new(key, ()), NOW).expect("there is room")));
    (table, there.to_vec(), others.to_vec())
}

fn end_by(end: impl Fn(&Flows, u64)) {
    let (table, there, others) = overflowing();
    for &key in &others {
        let wrong = KeyHash::new(table.hash(&key).get() ^ BUCKET);
        drop(table.insert(NewFlow::new(key, ()).hashed(wrong), NOW).expect("there is room"));
        assert_eq!(table.verify(), Ok(()));
        end(&table, key);
        assert_eq!(table.verify(), Ok(()));
        assert!(there.iter().all(|key| table.lookup(key, NOW).is_some()), "lost");
    }
    table.reap(Timestamp::from_secs(100), Budget::UNLIMITED);
    assert_eq!((table.len(), table.verify()), (0, Ok(())));
}

/// The walk for the right hash meets the flow, because the bucket overflows.
#[test]
fn a_removal_by_key_harms_nobody_else() {
    end_by(|table, key| drop(table.remove(&key)));
}

#[test]
fn nor_does_a_removal_by_handle() {
    end_by(|table, key| {
        let flow = table.lookup(&key, NOW);
        flow.into_iter().for_each(|flow| assert_eq!(table.remove_flow(&flow), Ok(true)));
    });
}

#[test]
fn nor_a_replacement() {
    end_by(|table, key| drop(table.insert(NewFlow::new(key, ()), NOW)));
}

#[test]
fn nor_a_cancellation_and_a_return() {
    end_by(|table, key| {
        let Some(flow) = table.lookup(&key, NOW) else { return };
        assert_eq!(table.remove_flow(&flow), Ok(true));
        assert!(table.reinsert(&flow, NOW).is_ok_and(|flow| flow.is_live(NOW)));
        assert!(flow.cancel());
        table.reap(NOW, Budget::UNLIMITED);
    });
}
