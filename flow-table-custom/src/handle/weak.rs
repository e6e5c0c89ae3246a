use std::fmt;
use std::sync::Arc;

use flow_table_api::{Direction, WeakFlowRef};

use super::StrongRef;
use crate::core::Core;
use crate::ids::EntryIndex;

/// A reference that does not keep the flow's value alive: the entry, and the generation that it was in. See [`WeakFlowRef`].
///
/// It keeps the table's memory, though not its flows, from going back to the system when the table is dropped.
pub struct WeakRef<K, V> {
    core: Arc<Core<K, V>>,
    index: EntryIndex,
    generation: u32,
    direction: Direction,
}

impl<K, V> WeakRef<K, V> {
    pub(super) const fn new(
        core: Arc<Core<K, V>>,
        index: EntryIndex,
        generation: u32,
        direction: Direction,
    ) -> Self {
        Self { core, index, generation, direction }
    }
}

impl<K, V> Clone for WeakRef<K, V> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), ..*self }
    }
}

impl<K, V> fmt::Debug for WeakRef<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakRef").field("direction", &self.direction).finish_non_exhaustive()
    }
}

impl<K: Send + Sync, V: Send + Sync> WeakFlowRef<K, V> for WeakRef<K, V> {
    type Strong = StrongRef<K, V>;

    fn upgrade(&self) -> Option<StrongRef<K, V>> {
        StrongRef::acquire_generation(self.core.shards.arena.entry(self.index), self.generation, self.direction)
    }
}
