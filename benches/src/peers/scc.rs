use flow_table::KeyHasher;
use scc::HashMap;

use super::{Map, Record, Shared};
use crate::data::Key;

/// [`scc::HashMap`]. A borrowing look-up runs under the lock of its bucket.
pub struct Scc(HashMap<Key, Shared, KeyHasher>);

impl Map for Scc {
    fn new(_: usize, _: usize) -> Self {
        Self(HashMap::with_hasher(KeyHasher::random()))
    }

    #[inline]
    fn insert(&self, key: Key, record: Shared) {
        self.0.upsert_sync(key, record);
    }

    #[inline]
    fn get(&self, key: &Key) -> Option<Shared> {
        self.0.read_sync(key, |_, record| Shared::clone(record))
    }

    #[inline]
    fn look(&self, keys: &[Key], mut visit: impl FnMut(usize, Option<&Record>) -> bool) -> usize {
        let mut found = 0;
        for (position, key) in keys.iter().enumerate() {
            let seen = self.0.read_sync(key, |_, record| visit(position, Some(record)));
            found += usize::from(seen.unwrap_or_else(|| visit(position, None)));
        }
        found
    }

    #[inline]
    fn remove(&self, key: &Key) -> bool {
        self.0.remove_sync(key).is_some()
    }

    fn retain(&self, mut keep: impl FnMut(&Record) -> bool) {
        self.0.retain_sync(|_, record| keep(record));
    }

    fn visit(&self) -> usize {
        let mut visited = 0;
        self.0.iter_sync(|_, _| {
            visited += 1;
            true
        });
        visited
    }

    fn held(&self) -> usize {
        self.0.len()
    }
}
