/// The status of a flow (contract S1).
///
/// | from | to | by |
/// |---|---|---|
/// | `Detached` | `Active` | any insertion, `reinsert` |
/// | `Active` | `Expired` | reaping, a look-up, an insert that meets it after its deadline |
/// | `Active` | `Cancelled` | `cancel` |
/// | `Active` | `Detached` | `remove`, `retain`, `evict` and so on, a replacing `insert`, the end of the table |
/// | `Expired` | `Active` | `reinsert` |
///
/// There is no other move. Each move is one compare-and-swap, and the operation that wins it counts the end
/// (contract S3). A flow is `Active` exactly while it is in a table and may match packets (contract S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Status {
    /// In no table: not inserted yet, removed or replaced. All-zero memory reads as this status.
    Detached = 0,
    /// Its deadline passed.
    Expired = 1,
    /// Cancelled through a handle. This is final.
    Cancelled = 2,
    /// In a table, and may match packets until its deadline.
    Active = 3,
}

/// What look-ups do with a flow that has expired while somebody still holds it (contract L3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OnExpiry {
    /// Look-ups find it, with [`Status::Expired`], while there is a reference other than the table's and no
    /// other flow has taken its key.
    #[default]
    KeepWhileReferenced,
    /// Look-ups do not find it.
    Remove,
}

/// One of a flow's two keys (contract I4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Direction {
    /// The first key: the one that the flow was made with.
    Forward,
    /// The second key, if the flow has one.
    Reply,
}

/// Why a flow ended, as a reap ([`Ended`](crate::Ended), contract R4) or its record
/// ([`FinalRecord`](crate::FinalRecord), contract R7) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum EndReason {
    /// Its deadline passed without a refresh.
    Expired,
    /// It was cancelled through a handle.
    Cancelled,
    /// It was removed or replaced, or its table is gone. No reap hands such a flow over.
    Removed,
    /// It was evicted to make room for another one (contract C6). [`Table::evict`](crate::Table::evict) hands it
    /// over; its [`FinalRecord`](crate::FinalRecord) says `Removed`.
    Evicted,
}

/// The deadline of a flow was not set, because the flow has ended or, for a timeout, because its deadline has
/// passed (contract D4). Holds the status of the flow.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the flow is not live but {0:?}: look its key up again, or insert a new flow")]
pub struct NotLive(pub Status);
