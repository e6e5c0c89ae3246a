use std::fmt;

use crate::{Direction, NewFlow};

/// Why an insertion was refused. The error holds the flow that was not inserted.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InsertError<K, V, R> {
    /// The table is at its capacity, and the insertion found no flow that can make room (contract C2).
    #[error("the table is full at {capacity} flows: reap it, raise its capacity, or give flows shorter timeouts")]
    Full {
        /// The refused flow.
        flow: NewFlow<K, V>,
        /// The capacity that was in force.
        capacity: usize,
    },
    /// Forward and reply key are equal (contract I4).
    #[error("forward and reply key are equal: leave the reply key out, and one key finds both directions")]
    IdenticalKeys {
        /// The refused flow.
        flow: NewFlow<K, V>,
    },
    /// `insert` would have taken the reply key from a live flow other than the one it replaces (contract I4).
    #[error("the {key:?} key belongs to another live flow: choose another key, or end the holder")]
    Conflict {
        /// The refused flow.
        flow: NewFlow<K, V>,
        /// The live flow that has the key.
        holder: R,
        /// Which key of the refused flow it is.
        key: Direction,
    },
    /// The system has no memory left, or a limit of the backend is reached.
    #[error("out of memory: reap the table, lower its capacity, or free memory elsewhere")]
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
                // Dropped here and not when the function returns: if this drop panicked then, the result would
                // leak.
                drop(holder);
                flow
            }
        }
    }
}

impl<K, V, R> fmt::Debug for InsertError<K, V, R> {
    /// Shows the message only, so that keys and values need no `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InsertError({self})")
    }
}

/// Why a `reinsert` was refused (contract I5).
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReinsertError<R> {
    /// The handle belongs to another table (contract V5).
    #[error(transparent)]
    Foreign(#[from] ForeignFlow),
    /// The flow is active already.
    #[error("the flow is active already: there is nothing to put back")]
    Active,
    /// The flow was cancelled, which is final (contract S1).
    #[error("the flow was cancelled, which is final: insert a new flow")]
    Cancelled,
    /// The table is at its capacity, and the insertion found no flow that can make room (contract C2).
    #[error("the table is full at {capacity} flows: reap it, raise its capacity, or give flows shorter timeouts")]
    Full {
        /// The capacity that was in force.
        capacity: usize,
    },
    /// A live flow holds one of the keys.
    #[error("the {key:?} key belongs to another live flow: choose another key, or end the holder")]
    Conflict {
        /// The live flow.
        holder: R,
        /// Which key of the refused flow it holds.
        key: Direction,
    },
    /// The system has no memory left, or a limit of the backend is reached.
    #[error("out of memory: reap the table, lower its capacity, or free memory elsewhere")]
    OutOfMemory,
}

impl<R> fmt::Debug for ReinsertError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReinsertError({self})")
    }
}

/// A handle was passed to a table that did not issue it (contract V5).
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the flow belongs to another table: pass it to the table that issued it")]
pub struct ForeignFlow;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FlowKey, NotLive, Status};

    /// What is wrong stands before the colon, and what to do behind it.
    #[test]
    fn every_error_says_what_to_do() {
        let flow = || NewFlow::new(1, 2);
        let key = Direction::Reply;
        let texts = [
            InsertError::<_, _, u8>::Full { flow: flow(), capacity: 5 }.to_string(),
            InsertError::<_, _, u8>::IdenticalKeys { flow: flow() }.to_string(),
            InsertError::Conflict { flow: flow(), holder: 3u8, key }.to_string(),
            InsertError::<_, _, u8>::OutOfMemory { flow: flow() }.to_string(),
            ReinsertError::<u8>::Foreign(ForeignFlow).to_string(),
            ReinsertError::<u8>::Active.to_string(),
            ReinsertError::<u8>::Cancelled.to_string(),
            ReinsertError::<u8>::Full { capacity: 5 }.to_string(),
            ReinsertError::Conflict { holder: 3u8, key }.to_string(),
            ReinsertError::<u8>::OutOfMemory.to_string(),
            NotLive(Status::Expired).to_string(),
            "".parse::<FlowKey>().unwrap_err().to_string(),
            "tcp 1.2.3.4:5 > [::1]:6".parse::<FlowKey>().unwrap_err().to_string(),
        ];
        for text in texts {
            assert!(
                text.split_once(": ").is_some_and(|(wrong, advice)| wrong.len() > 5 && advice.len() > 10),
                "{text}"
            );
        }
    }
}
