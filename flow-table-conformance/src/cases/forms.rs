//! Look-ups by other forms of a key, and hashes that are computed once.

use std::hash::{Hash, Hasher};

use flow_table_api::{Burst, Direction, Equivalent, Flow, FlowRef, KeyHash, Table};

use crate::fixture::{Call, Fixture, TestKey, at, during, inject};
use crate::{Backend, Setup, TestTable};

/// What a packet lends of a key. It is not as large as a key.
struct Form([u8; 9]);

impl Form {
    fn new(id: u64) -> Self {
        let mut bytes = [0xff; 9];
        bytes[1..].copy_from_slice(&id.to_be_bytes());
        Self(bytes)
    }

    fn key(&self) -> TestKey {
        let (_, id) = self.0.split_at(1);
        TestKey::new(u64::from_be_bytes(id.try_into().expect("eight bytes")))
    }
}

impl Hash for Form {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Equivalent<TestKey> for Form {
    fn equivalent(&self, key: &TestKey) -> bool {
        self.key() == *key
    }
}

/// Every operation that takes a key takes an equivalent form of it.
pub fn a_key_is_found_by_any_form_of_it<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 40);
    for key in 0..20 {
        drop(table.put_pair(key, 100 + key, at(0)));
    }
    for key in 0..20 {
        let found = table.lookup(&Form::new(100 + key), at(0)).expect("live");
        assert_eq!((*found.key(), found.direction()), (key.into(), Direction::Reply));
        assert!(table.contains_key(&Form::new(key), at(0)) && !table.contains_key(&Form::new(50 + key), at(0)));
        assert_eq!(table.hash(&Form::new(key)), table.hash(&TestKey::new(key)));
    }
    let forms: Vec<_> = [3, 103, 50, 4].map(Form::new).into();
    let keys: [Option<TestKey>; 4] = [Some(3.into()), Some(3.into()), None, Some(4.into())];
    let mut found = Vec::new();
    table.lookup_batch(&forms, at(0), &mut found);
    assert_eq!(found.iter().map(|flow| flow.as_ref().map(|flow| *flow.key())).collect::<Vec<_>>(), keys);
    drop(found);
    let burst = table.burst(at(0));
    let mut found = Vec::new();
    burst.get_batch(&forms, &mut found);
    assert_eq!(found.iter().map(|flow| flow.map(|flow| *flow.key())).collect::<Vec<_>>(), keys);
    assert!(burst.get(&Form::new(7)).is_some() && burst.get(&Form::new(70)).is_none());
    assert_eq!(burst.hash(&Form::new(7)), table.hash(&TestKey::new(7)));
    let removed = table.remove(&Form::new(105)).expect("live");
    assert_eq!(*removed.key(), 5.into());
    assert!(table.remove(&Form::new(5)).is_none());
}

/// A look-up with the key's hash hashes nothing, and finds what a look-up finds. With another hash it finds
/// nothing.
pub fn a_carried_hash_serves_look_ups<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 40);
    let ids = [1, 2, 3, 104, 50];
    let keys = ids.map(TestKey::new);
    for key in 1..5 {
        drop(table.put_pair(key, 100 + key, at(0)));
    }
    let is_found = ids.map(|id| id != 50);
    let hashes = keys.map(|key| table.hash(&key));
    let burst = table.burst(at(0));
    let unhashed = |call| {
        if matches!(call, Call::Hash { .. }) {
            inject();
        }
    };
    during(unhashed, || {
        for ((key, &hash), is_found) in keys.iter().zip(&hashes).zip(is_found) {
            assert_eq!(table.lookup_hashed(key, hash, at(0)).is_some(), is_found);
            assert_eq!(burst.get_hashed(key, hash).is_some(), is_found);
            let other = KeyHash::new(!hash.get());
            assert!(table.lookup_hashed(key, other, at(0)).is_none() && burst.get_hashed(key, other).is_none());
        }
        let mut found = Vec::new();
        burst.get_batch_hashed(&keys, &hashes, &mut found);
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), is_found);
    });
}

/// A flow that was inserted with the caller's hashes is found with them, by both keys, and is one flow for
/// everything else: for replacement, expiry, reinsertion and removal.
pub fn the_callers_hash_serves_a_flow_for_life<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    let hash = |id: u64| table.hash_of(7_000 + id % 3);
    let find =
        |table: &TestTable<B>, id: u64, seconds| table.lookup_hashed(&TestKey::new(id), hash(id), at(seconds));
    let put = |id: u64, seconds| {
        let flow = table.pair(id, 100 + id).hashed(hash(id)).reply_hashed(hash(100 + id));
        table.insert(flow, at(seconds)).expect("there is room")
    };
    for id in 1..4 {
        assert!(put(id, 0).replaced.is_none());
    }
    let replaced = put(2, 0).replaced.expect("it was live");
    assert!(table.len() == 3 && find(&table, 2, 0).is_some_and(|flow| flow != replaced));
    for id in 1..4 {
        assert_eq!(find(&table, 100 + id, 0).map(|flow| *flow.key()), Some(id.into()));
    }
    let held = find(&table, 1, 0).expect("live");
    assert_eq!(table.reap_all(at(60)).expired, 3);
    assert!(find(&table, 3, 60).is_none());
    let back = table.reinsert(&held, at(60)).expect("there is room");
    assert!(
        [1, 101].iter().all(|&id| find(&table, id, 61).is_some_and(|flow| flow == held && flow.is_live(at(61))))
    );
    assert_eq!(table.remove_flow(&back), Ok(true));
    assert!([1, 101].iter().all(|&id| find(&table, id, 61).is_none()));
}
