use crate::{Direction, Ended, NewFlow};

/// A flow that was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inserted<R> {
    /// The flow, now active.
    pub flow: R,
    /// The live flow that it displaced, now detached (contract I1). Only `insert` displaces.
    pub replaced: Option<R>,
    /// Flows that had ended and were let go to make room in a full table (contract C2). They are handed over here
    /// and by no later `reap_with`, so whoever exports records must export these too. Empty otherwise, which costs
    /// no allocation.
    pub made_room: Vec<Ended<R>>,
}

impl<R> Inserted<R> {
    /// For backends: an insertion that displaced nothing and had room.
    pub const fn new(flow: R) -> Self {
        Self { flow, replaced: None, made_room: Vec::new() }
    }
}

/// What `insert_if_absent` and `get_or_insert_with` did (contract I2, I3).
#[derive(Debug)]
pub enum Admission<K, V, R> {
    /// The flow was installed.
    Inserted(Inserted<R>),
    /// A live flow holds a key; it was left as it is.
    Existing {
        /// The live flow, as found by the key in question: its direction says which of *its* keys that is.
        holder: R,
        /// Which key of the refused flow, or of the look-up, `holder` has.
        key: Direction,
        /// The refused flow; `None` from `get_or_insert_with` when no flow was made.
        rejected: Option<NewFlow<K, V>>,
    },
}

impl<K, V, R> Admission<K, V, R> {
    /// The flow that now has the key, installed or found.
    pub fn flow(&self) -> &R {
        match self {
            Self::Inserted(inserted) => &inserted.flow,
            Self::Existing { holder, .. } => holder,
        }
    }

    /// The flow that now has the key, installed or found. Drops a rejected flow, and what made room.
    pub fn into_flow(self) -> R {
        match self {
            Self::Inserted(Inserted { flow, replaced, made_room }) => {
                // Here, and not on the way out, where the result would leak if one of these drops panics.
                drop(replaced);
                drop(made_room);
                flow
            }
            Self::Existing { holder, rejected, .. } => {
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
