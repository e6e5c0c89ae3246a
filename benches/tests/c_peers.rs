//! Runs random operations on the peers written in C, and on a model of a map with deadlines. They must agree.
#![cfg(any(flow_table_dpdk, flow_table_lfht))]

use std::collections::HashMap;
use std::time::Duration;

use flow_table::Timestamp;
use flow_table_benches::data::{BURST, Key, Random, key};
use flow_table_benches::peers::c::{CPeer, Library};
use flow_table_benches::subject::Subject;

/// Keys in use: few enough that they are inserted, removed and replaced many times.
const KEYS: u64 = 600;
const OPERATIONS: usize = 40_000;
const TICK: u64 = 1 << 20;

/// A flow as the peers keep it: its deadline and its timeout in ticks, rounded up, plus one.
struct Flow {
    deadline: u64,
    timeout: u64,
}

#[derive(Default)]
struct Model(HashMap<Key, Flow>);

impl Model {
    fn insert(&mut self, key: Key, timeout: Duration, now: u64) {
        let timeout = timeout.as_nanos().div_ceil(u128::from(TICK)) as u64 + 1;
        self.0.insert(key, Flow { deadline: now / TICK + timeout, timeout });
    }

    fn find(&self, key: &Key, now: u64) -> bool {
        self.0.get(key).is_some_and(|flow| now / TICK < flow.deadline)
    }

    fn hit(&mut self, key: &Key, now: u64) -> bool {
        let found = self.find(key, now);
        if let Some(flow) = self.0.get_mut(key).filter(|_| found) {
            flow.deadline = now / TICK + flow.timeout;
        }
        found
    }

    fn expire(&mut self, now: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, flow| now / TICK < flow.deadline);
        before - self.0.len()
    }
}

/// Small numbers are as frequent as large ones.
fn below_power(random: &mut Random, bits: u64) -> u64 {
    let bits = random.below(bits);
    random.below(1 << bits)
}

fn agrees_with_the_model<L: Library>(seed: u64) {
    let mut random = Random::new(seed);
    let (peer, mut model) = (<CPeer<L> as Subject>::new(KEYS as usize, 0), Model::default());
    peer.enter();
    let mut now = 0;
    for operation in 0..OPERATIONS {
        let key_of = |random: &mut Random| key(random.below(KEYS));
        let (one, told) = (key_of(&mut random), format!("seed {seed}, operation {operation}"));
        let time = Timestamp::from_nanos(now);
        match random.below(16) {
            0..6 => {
                // From less than a tick to more than two turns of the wheel.
                let ticks = below_power(&mut random, 18);
                let timeout = Duration::from_nanos(ticks * TICK + random.below(TICK));
                peer.insert(one, timeout.into(), time);
                model.insert(one, timeout, now);
            }
            6..8 => assert_eq!(peer.hit(&one, time), model.hit(&one, now), "{told}"),
            8 => assert_eq!(peer.find(&one, time), model.find(&one, now), "{told}"),
            9 => assert_eq!(peer.remove(&one), model.0.remove(&one).is_some(), "{told}"),
            10 => {
                let keys: Vec<Key> = (0..3 * BURST).map(|_| key_of(&mut random)).collect();
                let found = keys.iter().filter(|key| model.find(key, now)).count();
                assert_eq!(peer.find_batch(&keys, time, &mut ()), found, "{told}");
            }
            11 => {
                let keys: Vec<Key> = (0..3 * BURST).map(|_| key_of(&mut random)).collect();
                let mut missing = Vec::new();
                peer.packets(&keys, time, &mut missing, &mut ());
                let expected = (0..keys.len()).filter(|position| !model.hit(&keys[*position], now));
                assert!(missing.into_iter().eq(expected), "{told}");
            }
            12 => assert_eq!(peer.reap(time), model.expire(now), "{told}"),
            13 => assert_eq!((peer.visit(), peer.held()), (model.0.len(), model.0.len()), "{told}"),
            _ => {
                now += below_power(&mut random, 32);
                assert_eq!(peer.expire(&[], Timestamp::from_nanos(now)), model.expire(now), "{told}");
            }
        }
    }
    peer.leave();
}

#[test]
#[cfg(flow_table_dpdk)]
fn rte_hash_agrees_with_the_model() {
    (0..4).for_each(agrees_with_the_model::<flow_table_benches::peers::c::Dpdk>);
}

#[test]
#[cfg(flow_table_lfht)]
fn lfht_agrees_with_the_model() {
    (0..4).for_each(agrees_with_the_model::<flow_table_benches::peers::c::Lfht>);
}
