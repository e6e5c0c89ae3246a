use flow_table::KeyHasher;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter};

use super::{Map, Record, Shared};
use crate::Workload;
use crate::data::Key;

/// [`quick_cache::sync::Cache`], with twice the room that is needed, so that it evicts nothing.
pub struct QuickCache(Cache<Key, Shared, UnitWeighter, KeyHasher>);

impl Map for QuickCache {
    fn new(flows: usize, capacity: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(flows)
            .weight_capacity(2 * capacity as u64)
            .build()
            .expect("both capacities are set");
        Self(Cache::with_options(options, UnitWeighter, KeyHasher::random(), DefaultLifecycle::default()))
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        matches!(workload, Workload::BorrowHit | Workload::BorrowHitBatch).then_some("it gives out clones only")
    }

    #[inline]
    fn insert(&self, key: Key, record: Shared) {
        self.0.insert(key, record);
    }

    #[inline]
    fn get(&self, key: &Key) -> Option<Shared> {
        self.0.get(key)
    }

    #[inline]
    fn remove(&self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    fn retain(&self, mut keep: impl FnMut(&Record) -> bool) {
        let keep = std::cell::RefCell::new(&mut keep);
        self.0.retain(|_, record| (keep.borrow_mut())(record));
    }

    fn visit(&self) -> usize {
        self.0.iter().count()
    }

    fn held(&self) -> usize {
        self.0.len()
    }
}
