use std::fmt;
use std::hash::BuildHasher;
use std::marker::PhantomData;

use flow_table_api as api;
use flow_table_api::{Borrowed, Burst, Key, KeyForm, KeyHasher, Timestamp, Value};

use crate::core::Core;
use crate::flows::FlowEntry;
use crate::grace::Announcement;
use crate::handle::StrongRef;
use crate::hash::{KeyHash, hash_one};
use crate::threads;

/// An open burst: one announcement, and look-ups that count no references. See [`Burst`].
pub struct FlowBurst<'t, K, V, S = KeyHasher> {
    core: &'t Core<K, V>,
    hasher: &'t S,
    announced: Announcement<'t>,
    now: Timestamp,
    /// Keeps the burst on its thread, whose counter it uses.
    thread: PhantomData<*const ()>,
}

impl<'t, K, V, S> FlowBurst<'t, K, V, S> {
    #[inline]
    pub(crate) fn open(core: &'t Core<K, V>, hasher: &'t S, now: Timestamp) -> Self {
        Self { core, hasher, announced: core.bursts.open(threads::number(), now), now, thread: PhantomData }
    }
}

impl<K: Key, V: Value, S: BuildHasher> Burst<K, V> for FlowBurst<'_, K, V, S> {
    type Flow = FlowEntry<K, V>;
    type Ref = StrongRef<K, V>;

    #[inline]
    fn now(&self) -> Timestamp {
        self.now
    }

    #[inline]
    fn get_hashed<Q: KeyForm<K> + ?Sized>(
        &self,
        key: &Q,
        hash: api::KeyHash,
    ) -> Option<Borrowed<'_, FlowEntry<K, V>>> {
        self.core.lookup(&self.announced, key, KeyHash::new(hash), self.now)
    }

    #[inline]
    fn get_batch<'b, Q: KeyForm<K>>(&'b self, keys: &[Q], found: &mut Vec<Option<Borrowed<'b, FlowEntry<K, V>>>>) {
        let hash = |_, key: &Q| KeyHash::new(hash_one(self.hasher, key));
        self.core.lookup_batch(&self.announced, keys, hash, self.now, found);
    }

    #[inline]
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> api::KeyHash {
        hash_one(self.hasher, key)
    }

    #[inline]
    fn get_batch_hashed<'b, Q: KeyForm<K>>(
        &'b self,
        keys: &[Q],
        hashes: &[api::KeyHash],
        found: &mut Vec<Option<Borrowed<'b, FlowEntry<K, V>>>>,
    ) {
        assert_eq!(keys.len(), hashes.len(), "one hash for each key");
        self.core.lookup_batch(&self.announced, keys, |at, _| KeyHash::new(hashes[at]), self.now, found);
    }

    fn handle(&self, flow: Borrowed<'_, FlowEntry<K, V>>) -> Option<StrongRef<K, V>> {
        flow.flow().handle(flow.direction())
    }
}

impl<K, V, S> Drop for FlowBurst<'_, K, V, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.core.bursts.close(&self.announced) {
            self.core.collect_for(slot);
        }
    }
}

impl<K, V, S> fmt::Debug for FlowBurst<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBurst").field("now", &self.now).finish_non_exhaustive()
    }
}
