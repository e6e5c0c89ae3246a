use std::fmt;
use std::hash::Hash;
use std::ops::Deref;

use crate::{Direction, Flow};

/// A handle: a counted strong reference to a flow (contract V2).
///
/// Handles compare by identity: two handles are equal if they refer to the same flow, whichever key each was
/// found by. Handles may outlive the table. A handle whose table is gone can be read, cancelled (which does
/// nothing) and dropped (contract V5). Holding any number of handles blocks no operation (contract V3). Callers
/// that keep handles without limit use memory without limit: the capacity does not count flows that the table
/// no longer holds.
///
/// The value is dropped when the table and every handle have given up their references and no burst that could
/// see the flow is open. It is never dropped under a lock of the table, so its `Drop` may call the table
/// (contract V1).
pub trait FlowRef<K, V>: Clone + Send + Sync + Eq + Hash + fmt::Debug + Deref<Target = Self::Flow> {
    /// The flow.
    type Flow: Flow<K, V>;
    /// A reference that does not keep the value alive.
    type Weak: WeakFlowRef<K, V, Strong = Self>;

    /// The key of the flow that was looked up to get this handle. It is `Forward` for a handle from an
    /// insertion or an iteration.
    fn direction(&self) -> Direction;

    /// A weak reference to the same flow, with the same direction.
    fn downgrade(&self) -> Self::Weak;
}

/// A reference that does not keep the flow's value alive (contract V2). It may outlive the table.
///
/// Weak references compare by identity, as handles do, and also when the flow is gone.
pub trait WeakFlowRef<K, V>: Clone + Send + Sync + Eq + Hash + fmt::Debug {
    /// The handle it came from.
    type Strong: FlowRef<K, V, Weak = Self>;

    /// Returns a handle, or `None` if the last reference to the flow is gone.
    fn upgrade(&self) -> Option<Self::Strong>;
}
