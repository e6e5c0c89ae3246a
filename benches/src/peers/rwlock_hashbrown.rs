use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use flow_table::KeyHasher;
use hashbrown::HashMap;

use super::{Map, Record, Shared};
use crate::data::Key;

type Inner = HashMap<Key, Shared, KeyHasher>;

/// [`hashbrown::HashMap`] under one [`RwLock`]. A burst locks it once and borrows.
pub struct RwlockHashbrown(RwLock<Inner>);

impl RwlockHashbrown {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Map for RwlockHashbrown {
    fn new(_: usize, _: usize) -> Self {
        Self(RwLock::new(HashMap::with_hasher(KeyHasher::random())))
    }

    #[inline]
    fn insert(&self, key: Key, record: Shared) {
        let replaced = self.write().insert(key, record);
        drop(replaced);
    }

    #[inline]
    fn get(&self, key: &Key) -> Option<Shared> {
        self.read().get(key).cloned()
    }

    #[inline]
    fn look(&self, keys: &[Key], mut visit: impl FnMut(usize, Option<&Record>) -> bool) -> usize {
        let map = self.read();
        let looked = keys.iter().enumerate();
        looked.filter(|(position, key)| visit(*position, map.get(*key).map(|record| &**record))).count()
    }

    #[inline]
    fn remove(&self, key: &Key) -> bool {
        let removed = self.write().remove(key);
        removed.is_some()
    }

    fn retain(&self, mut keep: impl FnMut(&Record) -> bool) {
        self.write().retain(|_, record| keep(record));
    }

    fn visit(&self) -> usize {
        self.read().iter().count()
    }

    fn held(&self) -> usize {
        self.read().len()
    }
}
