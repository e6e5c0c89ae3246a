use crate::{Direction, NewFlow};

/// The result of `insert` (contract I1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "if the flow has replaced another one, this is the only hand-over of the other's record"]
pub struct Inserted<R> {
    /// The flow, now active.
    pub flow: R,
    /// The live flow that it replaced, now detached.
    pub replaced: Option<R>,
}

impl<R> Inserted<R> {
    /// For backends: the result of an insertion that replaced nothing.
    pub const fn new(flow: R) -> Self {
        Self { flow, replaced: None }
    }
}

/// The result of `insert_if_absent` and `get_or_insert_with` (contract I2, I3).
#[derive(Debug)]
pub enum Admission<K, V, R> {
    /// The flow was installed.
    Inserted(R),
    /// A live flow has one of the keys. It was left unchanged.
    Existing {
        /// The live flow. The direction of this handle says which of the *live flow's* keys it is.
        holder: R,
        /// Which key of the refused flow the live flow has. It is `Forward` if no value was made.
        key: Direction,
        /// The refused flow. It is `None` if `get_or_insert_with` made no value.
        rejected: Option<NewFlow<K, V>>,
    },
}

impl<K, V, R> Admission<K, V, R> {
    /// The flow that now has the key, installed or found.
    pub fn flow(&self) -> &R {
        match self {
            Self::Inserted(flow) => flow,
            Self::Existing { holder, .. } => holder,
        }
    }

    /// Returns the flow that now has the key, installed or found. Drops a rejected flow.
    pub fn into_flow(self) -> R {
        match self {
            Self::Inserted(flow) => flow,
            Self::Existing { holder, rejected, .. } => {
                // Dropped here and not when the function returns: if this drop panicked then, the result would
                // leak.
                drop(rejected);
                holder
            }
        }
    }

    /// Returns `true` if this call installed the flow.
    pub const fn is_inserted(&self) -> bool {
        matches!(self, Self::Inserted(_))
    }
}
