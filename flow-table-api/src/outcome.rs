use crate::{Direction, NewFlow};

/// What `insert` did (contract I1).
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
    /// For backends: an insertion that replaced nothing.
    pub const fn new(flow: R) -> Self {
        Self { flow, replaced: None }
    }
}

/// What `insert_if_absent` and `get_or_insert_with` did (contract I2, I3).
#[derive(Debug)]
pub enum Admission<K, V, R> {
    /// The flow was installed.
    Inserted(R),
    /// A live flow holds a key; it was left as it is.
    Existing {
        /// The live flow, as found by the key in question: its direction says which of *its* keys that is.
        holder: R,
        /// Which key of the refused flow, or of the look-up, `holder` has.
        key: Direction,
        /// The refused flow; `None` from `get_or_insert_with` when no value was made.
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

    /// The flow that now has the key, installed or found. Drops a rejected flow.
    pub fn into_flow(self) -> R {
        match self {
            Self::Inserted(flow) => flow,
            Self::Existing { holder, rejected, .. } => {
                // Here, and not on the way out, where the result would leak if this drop panics.
                drop(rejected);
                holder
            }
        }
    }

    /// Whether this call installed the flow.
    pub const fn is_inserted(&self) -> bool {
        matches!(self, Self::Inserted(_))
    }
}
