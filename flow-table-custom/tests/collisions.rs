//! Keys that collide in bucket and tag: what they cost, by counts, to whoever knows the seed, and that the same
//! keys are ordinary ones under any other. (`examples/collisions.rs` has the times.)

use std::cell::Cell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::OnceLock;

use flow_table_api::{Budget, KeyHasher, NewFlow, Table, TableConfig, Timestamp};
use flow_table_custom::FlowTable;

type Flows = FlowTable<Key, ()>;

const SEED: u64 = 7;
const NOW: Timestamp = Timestamp::ZERO;
/// They fill two buckets of four, and leave room for as many others as do not make the array grow.
const COLLIDING: usize = 24;
const OTHERS: usize = 12;
/// Of the 32 bits of a hash that the table uses, those that choose the segment.
const SEGMENT: u64 = 0xffe0_0000;
/// Those that choose one of four buckets, and the tag.
const BUCKET_AND_TAG: u64 = 0x03ff;

thread_local!(static COMPARED: Cell<usize> = const { Cell::new(0) });

/// A key that counts its comparisons.
struct Key(u64);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// How often keys are compared in `body`.
fn compared(body: impl FnOnce()) -> usize {
    let before = COMPARED.get();
    body();
    COMPARED.get() - before
}

/// Keys whose hashes agree in these bits in a table with this seed, from the key `first` on.
fn alike(bits: u64, first: u64) -> impl Iterator<Item = u64> {
    let hasher = KeyHasher::with_seed(SEED);
    let place = move |key: u64| hasher.hash_one(key) >> 32 & bits;
    let wanted = place(0);
    (first..).filter(move |&key| place(key) == wanted)
}

/// Keys that all go to one bucket of one segment, with one tag.
fn colliding(count: usize) -> Vec<u64> {
    static ALL: OnceLock<Vec<u64>> = OnceLock::new();
    let all = ALL.get_or_init(|| alike(SEGMENT | BUCKET_AND_TAG, 0).take(COLLIDING + 1).collect());
    all[..count].to_vec()
}

/// Other keys of the same segment.
fn others(count: usize) -> Vec<u64> {
    alike(SEGMENT, 1 << 40).take(count).collect()
}

fn table(config: TableConfig, keys: &[u64]) -> Flows {
    let table = Flows::with_config(config);
    for &key in keys {
        drop(table.insert(NewFlow::new(Key(key), ()), NOW).expect("there is room"));
    }
    table
}

fn one_shard() -> TableConfig {
    TableConfig::new(COLLIDING + OTHERS).shards(1)
}

/// The keys compared by looking each of `keys` up.
fn compared_by_lookups(table: &Flows, keys: &[u64]) -> usize {
    compared(|| assert!(keys.iter().all(|&key| table.lookup(&Key(key), NOW).is_some())))
}

#[test]
fn a_colliding_key_costs_at_most_a_comparison_with_each_other() {
    let keys = colliding(COLLIDING + 1);
    let (&absent, keys) = keys.split_last().expect("not empty");
    let table = table(one_shard().hash_seed(SEED), &keys[..1]);
    for (there, &key) in keys.iter().enumerate().skip(1) {
        let count = compared(|| drop(table.insert(NewFlow::new(Key(key), ()), NOW).expect("there is room")));
        assert!((there..=2 * there).contains(&count), "{count} comparisons with {there} flows: they do collide");
    }
    // The first flow with the tag is compared once more by all that look for another one.
    assert_eq!(compared(|| assert!(table.lookup(&Key(absent), NOW).is_none())), COLLIDING + 1);
    let in_turn = COLLIDING * (COLLIDING + 1) / 2;
    assert_eq!(compared_by_lookups(&table, keys), in_turn + COLLIDING - 1, "1 + 2 + … in the worst case");
    for (there, &key) in (1..=COLLIDING).rev().zip(keys) {
        let count = compared(|| assert!(table.remove(&Key(key)).is_some()));
        assert!(count <= there, "{count} comparisons with {there} flows");
    }
    assert_eq!(table.reap(NOW, Budget::UNLIMITED).visited(), 0);
}

#[test]
fn colliding_keys_take_no_more_memory_than_others() {
    let memory = |keys: &[u64]| table(one_shard().hash_seed(SEED), keys).memory();
    assert_eq!(memory(&colliding(COLLIDING)), memory(&others(COLLIDING)));
}

#[test]
fn other_keys_hardly_notice() {
    let table = table(one_shard().hash_seed(SEED), &colliding(COLLIDING));
    let others = others(OTHERS);
    for &key in &others {
        drop(table.insert(NewFlow::new(Key(key), ()), NOW).expect("there is room"));
    }
    // One key in 256 has the tag of all those that collide, and may have to be compared with them.
    let compared = compared_by_lookups(&table, &others);
    assert!(compared <= 3 * OTHERS, "{compared} comparisons for {OTHERS} keys");
}

#[test]
fn the_same_keys_are_ordinary_ones_under_another_seed() {
    let keys = colliding(COLLIDING);
    let seeds = (SEED + 1..SEED + 9).map(|seed| one_shard().hash_seed(seed));
    for (index, config) in seeds.chain([one_shard(), one_shard()]).enumerate() {
        // Of a bucket's twelve tags, one look-up in 23 meets a wrong one.
        let compared = compared_by_lookups(&table(config, &keys), &keys);
        assert!(compared <= COLLIDING * 5 / 4, "{compared} comparisons for {COLLIDING} keys, seed {index}");
    }
}
