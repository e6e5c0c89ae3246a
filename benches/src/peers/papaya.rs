use flow_table::KeyHasher;
use papaya::HashMap;

use super::{Map, Record, Shared};
use crate::data::Key;

/// [`papaya::HashMap`]. A look-up pins the map; a burst pins it once and borrows.
pub struct Papaya(HashMap<Key, Shared, KeyHasher>);

impl Map for Papaya {
    fn new(_: usize, _: usize) -> Self {
        Self(HashMap::with_hasher(KeyHasher::random()))
    }

    #[inline]
    fn insert(&self, key: Key, record: Shared) {
        self.0.pin().insert(key, record);
    }

    #[inline]
    fn get(&self, key: &Key) -> Option<Shared> {
        self.0.pin().get(key).cloned()
    }

    #[inline]
    fn look(&self, keys: &[Key], mut visit: impl FnMut(usize, Option<&Record>) -> bool) -> usize {
        let map = self.0.pin();
        let looked = keys.iter().enumerate();
        looked.filter(|(position, key)| visit(*position, map.get(*key).map(|record| &**record))).count()
    }

    #[inline]
    fn remove(&self, key: &Key) -> bool {
        self.0.pin().remove(key).is_some()
    }

    fn retain(&self, mut keep: impl FnMut(&Record) -> bool) {
        self.0.pin().retain(|_, record| keep(record));
    }

    fn visit(&self) -> usize {
        self.0.pin().iter().count()
    }

    fn held(&self) -> usize {
        self.0.len()
    }
}
