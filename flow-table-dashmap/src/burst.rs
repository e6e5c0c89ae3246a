use std::fmt;
use std::hash::BuildHasher;

use flow_table_api::{Borrowed, Burst, Key, KeyForm, KeyHash, KeyHasher, Timestamp, Value};

use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::strong::FlowRecord;
use crate::ops::kept::Kept;

/// An open burst. It keeps one reference to each flow that it hands out, until it closes.
///
/// So it delays the end of flows that were looked up in it, and of no others (contract U4). Flows that end in the
/// meantime stay, too.
///
/// Contract U1 says that bursts count no references. The map of this design has weak references, so no flow can be
/// found without counting. The counting is hidden, but its cost is not: a look-up in a burst costs as much as any
/// other, and a small allocation for each flow that the burst has not found before.
pub struct FlowBurst<'t, K, V, S = KeyHasher> {
    core: &'t Core<K, V>,
    hasher: &'t S,
    now: Timestamp,
    kept: Kept<'t, K, V>,
}

impl<'t, K, V, S> FlowBurst<'t, K, V, S> {
    pub(crate) fn new(core: &'t Core<K, V>, hasher: &'t S, now: Timestamp) -> Self {
        core.open.add(now);
        Self { core, hasher, now, kept: Kept::new(&core.kept) }
    }
}

impl<K, V, S> Drop for FlowBurst<'_, K, V, S> {
    fn drop(&mut self) {
        self.core.open.remove(self.now);
    }
}

impl<K: Key, V: Value, S: BuildHasher> Burst<K, V> for FlowBurst<'_, K, V, S> {
    type Flow = FlowRecord<K, V>;
    type Ref = FlowHandle<K, V>;

    fn now(&self) -> Timestamp {
        self.now
    }

    #[inline]
    fn get_hashed<Q: KeyForm<K> + ?Sized>(
        &self,
        key: &Q,
        hash: KeyHash,
    ) -> Option<Borrowed<'_, FlowRecord<K, V>>> {
        let (flow, direction) = self.core.find(hash.get(), key, self.now)?;
        Some(Borrowed::new(self.kept.keep(flow), direction))
    }

    #[inline]
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        KeyHash::new(self.hasher.hash_one(key))
    }

    /// Never returns `None` with this backend, because the burst holds a reference to each flow that it handed
    /// out.
    fn handle(&self, flow: Borrowed<'_, FlowRecord<K, V>>) -> Option<FlowHandle<K, V>> {
        Some(FlowHandle::new(flow.flow().0.clone(), flow.direction()))
    }
}

impl<K, V, S> fmt::Debug for FlowBurst<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBurst").field("now", &self.now).field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}
