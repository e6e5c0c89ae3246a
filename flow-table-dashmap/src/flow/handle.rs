use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use flow_table_api::{Direction, FlowRef, WeakFlowRef};

use crate::base::sync::Weak;
use crate::flow::record::Record;
use crate::flow::strong::{FlowRecord, Strong};

/// A handle: a counted strong reference to a flow, and the direction by which it was found.
pub struct FlowHandle<K, V> {
    flow: FlowRecord<K, V>,
    direction: Direction,
}

/// A reference that does not keep the flow's value alive.
pub struct WeakFlowHandle<K, V> {
    flow: Weak<Record<K, V>>,
    direction: Direction,
}

impl<K, V> FlowHandle<K, V> {
    pub(crate) const fn new(flow: Strong<K, V>, direction: Direction) -> Self {
        Self { flow: FlowRecord(flow), direction }
    }

    pub(crate) const fn record(&self) -> &Strong<K, V> {
        &self.flow.0
    }
}

impl<K: Send + Sync, V: Send + Sync> FlowRef<K, V> for FlowHandle<K, V> {
    type Flow = FlowRecord<K, V>;
    type Weak = WeakFlowHandle<K, V>;

    fn direction(&self) -> Direction {
        self.direction
    }

    fn downgrade(&self) -> WeakFlowHandle<K, V> {
        WeakFlowHandle { flow: self.record().downgrade(), direction: self.direction }
    }
}

impl<K: Send + Sync, V: Send + Sync> WeakFlowRef<K, V> for WeakFlowHandle<K, V> {
    type Strong = FlowHandle<K, V>;

    fn upgrade(&self) -> Option<FlowHandle<K, V>> {
        Strong::upgrade(&self.flow).map(|flow| FlowHandle::new(flow, self.direction))
    }
}

impl<K, V> Clone for FlowHandle<K, V> {
    #[inline]
    fn clone(&self) -> Self {
        Self::new(self.record().clone(), self.direction)
    }
}

impl<K, V> Clone for WeakFlowHandle<K, V> {
    fn clone(&self) -> Self {
        Self { flow: Weak::clone(&self.flow), direction: self.direction }
    }
}

impl<K, V> Deref for FlowHandle<K, V> {
    type Target = FlowRecord<K, V>;

    #[inline]
    fn deref(&self) -> &FlowRecord<K, V> {
        &self.flow
    }
}

impl<K, V> PartialEq for FlowHandle<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.record() == other.record()
    }
}

impl<K, V> Eq for FlowHandle<K, V> {}

impl<K, V> Hash for FlowHandle<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.record().address().hash(state);
    }
}

impl<K, V> PartialEq for WeakFlowHandle<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.flow, &other.flow)
    }
}

impl<K, V> Eq for WeakFlowHandle<K, V> {}

impl<K, V> Hash for WeakFlowHandle<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.flow.as_ptr().addr().hash(state);
    }
}

impl<K, V> fmt::Debug for FlowHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowHandle").field("flow", &self.flow).field("direction", &self.direction).finish()
    }
}

impl<K, V> fmt::Debug for WeakFlowHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakFlowHandle").field("direction", &self.direction).finish_non_exhaustive()
    }
}
