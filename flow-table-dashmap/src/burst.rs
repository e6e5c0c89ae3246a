use std::fmt;

use flow_table_api::{Borrowed, Burst, Key, KeyHash, Timestamp, Value};

use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::strong::FlowRecord;
use crate::ops::kept::Kept;

/// An open burst. It keeps one reference to each flow that it hands out, until it closes.
///
/// So it delays the end of flows that were looked up in it, and of no others. Flows that end in the meantime stay,
/// too (contract U4).
///
/// Contract U1 says that bursts count no references. The map of this design has weak references, so no flow can be
/// found without counting. The counting is hidden, but its cost is not: a look-up in a burst costs as much as any
/// other, and a small allocation for each flow that the burst has not found before.
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

    /// Never returns `None` with this backend, because the burst holds a reference to each flow that it handed
    /// out.
    fn handle(&self, flow: Borrowed<'_, FlowRecord<K, V>>) -> Option<FlowHandle<K, V>> {
        Some(FlowHandle::new(flow.flow().0.clone(), flow.direction()))
    }
}

impl<K, V> fmt::Debug for FlowBurst<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBurst").field("now", &self.now).field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}
