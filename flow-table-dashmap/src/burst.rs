use std::fmt;

use flow_table_api::{Borrowed, Burst, Key, KeyHash, Timestamp, Value};

use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::strong::FlowRecord;
use crate::ops::kept::Kept;

/// An open burst: keeps one reference to each flow that it hands out until it closes.
///
/// So it holds back the flows that were looked up in it, and no others; those that end meanwhile stay with it too
/// (contract U4).
///
/// Contract U1 asks that nothing be counted; with weak references in the map this design cannot find a flow
/// without. The counting is hidden, its cost is not: a look-up in a burst costs what any other does, and a small
/// allocation for each flow that the burst has not found before.
pub struct FlowBurst<'t, K, V> {
    core: &'t Core<K, V>,
    now: Timestamp,
    kept: Kept<'t, K, V>,
}

impl<'t, K, V> FlowBurst<'t, K, V> {
    pub(crate) fn new(core: &'t Core<K, V>, now: Timestamp) -> Self {
        Self { core, now, kept: Kept::new(&core.kept) }
    }
}

impl<K: Key, V: Value> Burst<K, V> for FlowBurst<'_, K, V> {
    type Flow = FlowRecord<K, V>;
    type Ref = FlowHandle<K, V>;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn get(&self, key: &K) -> Option<Borrowed<'_, FlowRecord<K, V>>> {
        let (flow, direction) = self.core.find(key, self.now)?;
        Some(Borrowed::new(self.kept.keep(flow), direction))
    }

    fn hash(&self, key: &K) -> KeyHash {
        KeyHash::new(self.core.hash(key))
    }

    /// Never `None` with this backend: the burst holds what it handed out.
    fn handle(&self, flow: Borrowed<'_, FlowRecord<K, V>>) -> Option<FlowHandle<K, V>> {
        Some(FlowHandle::new(flow.flow().0.clone(), flow.direction()))
    }
}

impl<K, V> fmt::Debug for FlowBurst<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBurst").field("now", &self.now).field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}
