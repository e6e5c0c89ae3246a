use std::fmt;
use std::marker::PhantomData;

use flow_table_api as api;
use flow_table_api::{Borrowed, Burst, Key, Timestamp, Value};

use crate::core::Core;
use crate::flows::FlowEntry;
use crate::grace::Announcement;
use crate::handle::StrongRef;
use crate::threads;

/// An open burst: one announcement, and look-ups that count no references. See [`Burst`].
pub struct FlowBurst<'t, K, V> {
    core: &'t Core<K, V>,
    announced: Announcement,
    now: Timestamp,
    /// Keeps the burst on its thread, whose counter it uses.
    thread: PhantomData<*const ()>,
}

impl<'t, K, V> FlowBurst<'t, K, V> {
    #[inline]
    pub(crate) fn open(core: &'t Core<K, V>, now: Timestamp) -> Self {
        Self { core, announced: core.bursts.open(threads::number()), now, thread: PhantomData }
    }
}

impl<K: Key, V: Value> Burst<K, V> for FlowBurst<'_, K, V> {
    type Flow = FlowEntry<K, V>;
    type Ref = StrongRef<K, V>;

    #[inline]
    fn now(&self) -> Timestamp {
        self.now
    }

    #[inline]
    fn get(&self, key: &K) -> Option<Borrowed<'_, FlowEntry<K, V>>> {
        self.core.lookup(&self.announced, key, self.core.hash(key), self.now)
    }

    #[inline]
    fn get_batch<'b>(&'b self, keys: &[K], found: &mut Vec<Option<Borrowed<'b, FlowEntry<K, V>>>>) {
        self.core.lookup_batch(&self.announced, keys, self.now, found, |_| ());
    }

    #[inline]
    fn hash(&self, key: &K) -> api::KeyHash {
        api::KeyHash::new(self.core.full_hash(key))
    }

    #[inline]
    fn get_batch_hashed<'b>(
        &'b self,
        keys: &[K],
        hashes: &mut Vec<api::KeyHash>,
        found: &mut Vec<Option<Borrowed<'b, FlowEntry<K, V>>>>,
    ) {
        hashes.clear();
        hashes.reserve(keys.len());
        self.core
            .lookup_batch(&self.announced, keys, self.now, found, |hash| hashes.push(api::KeyHash::new(hash)));
    }

    fn handle(&self, flow: Borrowed<'_, FlowEntry<K, V>>) -> Option<StrongRef<K, V>> {
        // While the burst is open, the entry cannot be reused for another flow.
        StrongRef::acquire(flow.flow().entry(), flow.direction())
    }
}

impl<K, V> Drop for FlowBurst<'_, K, V> {
    #[inline]
    fn drop(&mut self) {
        self.core.bursts.close(&self.announced);
        if self.core.limbo.len() != 0 {
            self.core.collect_all();
        }
    }
}

impl<K, V> fmt::Debug for FlowBurst<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBurst").field("now", &self.now).finish_non_exhaustive()
    }
}
