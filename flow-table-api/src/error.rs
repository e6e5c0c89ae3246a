use std::fmt;

use crate::{Direction, NewFlow, Status};

/// An insertion that was refused. The flow comes back in it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InsertError<K, V, R> {
    /// The table is at its capacity, and no flow in it can make room (contract C2).
    #[error("the table is full: capacity {capacity} flows")]
    Full {
        /// The refused flow.
        flow: NewFlow<K, V>,
        /// The limit in force.
        capacity: usize,
    },
    /// Forward and reply key are equal (contract I4).
    #[error("forward and reply key are equal")]
    IdenticalKeys {
        /// The refused flow.
        flow: NewFlow<K, V>,
    },
    /// `insert` would have taken the reply key from a live flow other than the one it replaces (contract I4).
    #[error("the {key:?} key belongs to another live flow")]
    Conflict {
        /// The refused flow.
        flow: NewFlow<K, V>,
        /// The live flow that has the key.
        holder: R,
        /// Which key of the refused flow it is.
        key: Direction,
    },
    /// The system gave no memory.
    #[error("out of memory")]
    OutOfMemory {
        /// The refused flow.
        flow: NewFlow<K, V>,
    },
}

impl<K, V, R> InsertError<K, V, R> {
    /// The refused flow.
    pub fn into_flow(self) -> NewFlow<K, V> {
        match self {
            Self::Full { flow, .. } | Self::IdenticalKeys { flow } | Self::OutOfMemory { flow } => flow,
            Self::Conflict { flow, holder, .. } => {
                // Here, and not on the way out, where the result would leak if this drop panics.
                drop(holder);
                flow
            }
        }
    }
}

impl<K, V, R> fmt::Debug for InsertError<K, V, R> {
    /// The message: keys and values need no `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InsertError({self})")
    }
}

/// A `reinsert` that was refused (contract I5).
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReinsertError<R> {
    /// The handle belongs to another table (contract V5).
    #[error(transparent)]
    Foreign(#[from] ForeignFlow),
    /// The flow is active already.
    #[error("the flow is active already")]
    Active,
    /// The flow was cancelled, which is final (contract S1).
    #[error("the flow was cancelled")]
    Cancelled,
    /// The table is at its capacity, and no flow in it can make room (contract C2).
    #[error("the table is full: capacity {capacity} flows")]
    Full {
        /// The limit in force.
        capacity: usize,
    },
    /// A live flow holds one of the keys.
    #[error("the {key:?} key belongs to another live flow")]
    Conflict {
        /// The live flow.
        holder: R,
        /// Which key of the refused flow it holds.
        key: Direction,
    },
    /// The system gave no memory.
    #[error("out of memory")]
    OutOfMemory,
}

impl<R> fmt::Debug for ReinsertError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReinsertError({self})")
    }
}

/// A handle was given to a table that did not issue it (contract V5).
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the flow belongs to another table")]
pub struct ForeignFlow;

/// A deadline or timeout that could not be set (contract D4).
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetDeadlineError {
    /// The handle belongs to another table (contract V5).
    #[error(transparent)]
    Foreign(#[from] ForeignFlow),
    /// The flow is not live: it has ended, or (`set_timeout` only) its deadline has passed.
    #[error("the flow is not live: {0:?}")]
    NotLive(Status),
}
