/// Where a flow stands (contract S1).
///
/// | from | to | by |
/// |---|---|---|
/// | `Detached` | `Active` | any insertion, `reinsert` |
/// | `Active` | `Expired` | reaping, a look-up, an insert that meets it after its deadline |
/// | `Active` | `Cancelled` | `cancel` |
/// | `Active` | `Detached` | `remove`, `remove_flow`, `retain`, a replacing `insert`, the end of the table |
/// | `Expired` | `Active` | `reinsert` |
///
/// No other move exists; each is one compare-and-swap, and whoever wins it counts the end (contract S3).
/// `Active` holds exactly while the flow is in a table and may match packets (contract S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// In no table: not inserted yet, removed, or replaced. All-zero memory reads as this.
    Detached = 0,
    /// In a table, and may match packets until its deadline.
    Active = 1,
    /// Its deadline passed.
    Expired = 2,
    /// Ended by its owner, for good.
    Cancelled = 3,
}

/// What look-ups do with a flow whose deadline has passed while somebody still holds it (contract L3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnExpiry {
    /// Look-ups find it, with [`Status::Expired`], while anyone but the table holds it and nothing has taken its
    /// place.
    #[default]
    KeepWhileReferenced,
    /// Look-ups no longer find it.
    Remove,
}

/// Which of a flow's two keys a look-up matched (contract I4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The key that the flow was made with.
    Forward,
    /// The second key, if the flow has one.
    Reply,
}

/// Why a flow is handed over by a reap (contract R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// No refresh came before its deadline.
    Expired,
    /// Its owner cancelled it.
    Cancelled,
}
