use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::flow::strong::{FlowRecord, Strong};

/// The flows that a burst has borrowed: each once, however often it was looked up. They stay in place until all
/// are dropped.
///
/// A tree of flows by their scrambled addresses, with two bits for each step. It only grows, so its contents can
/// stay borrowed while more is added.
pub(crate) struct Kept<'t, K, V> {
    root: Place<K, V>,
    len: Cell<usize>,
    /// The flows that all bursts keep, counted in whole [`STEP`]s of each burst.
    total: &'t AtomicUsize,
}

type Place<K, V> = OnceCell<Box<Node<K, V>>>;

struct Node<K, V> {
    flow: FlowRecord<K, V>,
    next: [Place<K, V>; 4],
}

/// A burst counts what it keeps in whole steps. Most bursts keep less than one step and never touch the common
/// count.
const STEP: usize = 64;

impl<'t, K, V> Kept<'t, K, V> {
    /// The bytes for each flow that is kept.
    pub(crate) const NODE_BYTES: usize = size_of::<Node<K, V>>();

    /// Keeps no flow yet. Counts in `total`.
    pub(crate) const fn new(total: &'t AtomicUsize) -> Self {
        Self { root: OnceCell::new(), len: Cell::new(0), total }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len.get()
    }

    /// Keeps `flow`, unless it is kept already.
    pub(crate) fn keep(&self, flow: Strong<K, V>) -> &FlowRecord<K, V> {
        /// The number is odd, so no two addresses take the same path.
        const SCRAMBLE: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut path = (flow.address() as u64).wrapping_mul(SCRAMBLE);
        let mut place = &self.root;
        while let Some(node) = place.get() {
            if node.flow.0 == flow {
                return &node.flow;
            }
            place = &node.next[(path >> 62) as usize];
            path <<= 2;
        }
        self.count();
        &place.get_or_init(|| Box::new(Node { flow: FlowRecord(flow), next: Default::default() })).flow
    }

    fn count(&self) {
        self.len.set(self.len.get() + 1);
        if self.len.get().is_multiple_of(STEP) {
            // Relaxed, here and below: a statistic, which orders nothing.
            self.total.fetch_add(STEP, Ordering::Relaxed);
        }
    }
}

impl<K, V> Drop for Kept<'_, K, V> {
    fn drop(&mut self) {
        self.total.fetch_sub(self.len.get() / STEP * STEP, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use flow_table_api::{Burst, NewFlow, Table, Timestamp};

    use super::*;
    use crate::FlowTable;

    const NOW: Timestamp = Timestamp::ZERO;

    fn filled(flows: u64) -> FlowTable<u64, ()> {
        let table = FlowTable::new(10_000);
        for key in 0..flows {
            drop(table.insert(NewFlow::new(key, ()).reply(key + 10_000), NOW).expect("there is room"));
        }
        table
    }

    #[test]
    fn a_flow_is_kept_once_however_often_it_is_looked_up() {
        let table = filled(1_000);
        let kept = Kept::new(&table.core.kept);
        let find = |key| table.core.find(table.hash(&key).get(), &key, NOW).expect("live").0;
        let first: Vec<_> = (0..1_000).map(|key| kept.keep(find(key))).collect();
        for _ in 0..3 {
            for (key, flow) in (0..).zip(&first) {
                assert!(std::ptr::eq(*flow, kept.keep(find(key + 10_000))));
                assert_eq!(flow.0.key, key);
            }
        }
        assert_eq!((kept.len(), first[0].0.count()), (1_000, 2));
    }

    #[test]
    fn memory_counts_what_bursts_keep() {
        let table = filled(1_000);
        let before = table.memory();
        let burst = table.burst(NOW);
        assert!((0..1_000).all(|key| burst.get(&key).is_some()));
        let with = table.memory();
        assert_eq!(with - before, 1_000 / STEP * STEP * Kept::<u64, ()>::NODE_BYTES);
        assert!((0..1_000).all(|key| burst.get(&key).is_some()));
        assert_eq!(table.memory(), with);
        drop(burst);
        assert_eq!(table.memory(), before);
    }
}
