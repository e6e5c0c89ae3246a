use std::fmt;
use std::hash::Hash;
use std::ops::Deref;

use crate::{Direction, Flow};

/// A handle: a counted strong reference to a flow (contract V2).
///
/// Handles compare by identity, whatever direction each was found by. They may outlive the table: a handle
/// whose table is gone can be read, cancelled (which does nothing then) and dropped (contract V5). Holding any
/// number of them blocks no operation (contract V3).
///
/// The value is dropped when the table and every handle have let go and no burst that could see the flow is
/// open; it is never dropped under a lock of the table, so its `Drop` may call the table (contract V1).
pub trait FlowRef<K, V>: Clone + Send + Sync + Eq + Hash + fmt::Debug + Deref<Target = Self::Flow> {
    /// The flow.
    type Flow: Flow<K, V>;
    /// A reference that does not keep the value alive.
    type Weak: WeakFlowRef<K, V, Strong = Self>;

    /// Which of the flow's keys the look-up that gave this handle matched; `Forward` for one that an insertion or
    /// an iteration gave.
    fn direction(&self) -> Direction;

    /// Ends the flow: `Active` → `Cancelled`; whether this call did it. Needs neither key nor table (contract E1).
    ///
    /// When it returns, look-ups no longer find the flow, and the next reap releases it, whatever its deadline.
    /// Idempotent: a flow that had ended keeps its status, and `false` is returned; one that had *expired* is no
    /// longer found by look-ups either.
    ///
    /// # Blocking
    ///
    /// At most a short lock of the flow's shard, and no user code runs under it.
    fn cancel(&self) -> bool;

    /// A weak reference to the same flow, with the same direction.
    fn downgrade(&self) -> Self::Weak;
}

/// A reference that does not keep the flow's value alive (contract V2). It may outlive the table.
pub trait WeakFlowRef<K, V>: Clone + Send + Sync + fmt::Debug {
    /// The handle it came from.
    type Strong: FlowRef<K, V, Weak = Self>;

    /// A handle, if the value has not been dropped and is not about to be.
    fn upgrade(&self) -> Option<Self::Strong>;
}
