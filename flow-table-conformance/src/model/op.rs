use std::time::Duration;

use flow_table_api::{Direction, EndReason, OnExpiry, ReapReport, Status, Timestamp};

/// A flow of a run. Its maker chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub usize);

/// A flow to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Its number, used once.
    pub id: FlowId,
    /// The forward key.
    pub key: u64,
    /// The reply key, if any.
    pub reply: Option<u64>,
    /// Its idle time.
    pub timeout: Duration,
    /// What look-ups do once it has expired.
    pub on_expiry: OnExpiry,
}

/// One operation on a table, with everything it depends on.
///
/// The caller keeps every handle that it returns, and drops each one with [`Op::Drop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are those of the operation of the table")]
pub enum Op {
    /// `lookup`, or one key of `lookup_batch`.
    Lookup { key: u64, now: Timestamp },
    /// `insert`.
    Insert { flow: Spec, now: Timestamp },
    /// `insert_if_absent`.
    InsertIfAbsent { flow: Spec, now: Timestamp },
    /// `get_or_insert_with`, whose closure would make the value of `flow`.
    GetOrInsertWith { flow: Spec, now: Timestamp },
    /// `reinsert`.
    Reinsert { flow: FlowId, now: Timestamp },
    /// `refresh`.
    Refresh { flow: FlowId, now: Timestamp },
    /// `set_deadline`.
    SetDeadline { flow: FlowId, deadline: Timestamp },
    /// `set_timeout`.
    SetTimeout { flow: FlowId, timeout: Duration, now: Timestamp },
    /// `cancel`.
    Cancel { flow: FlowId },
    /// `remove`.
    Remove { key: u64 },
    /// `remove_flow`, or one refusal of `retain`.
    RemoveFlow { flow: FlowId },
    /// `reap_with` or `reap_local_with`, whose callback keeps every handle.
    Reap { now: Timestamp, budget: usize, local: bool },
    /// `for_each`, or `snapshot` of which every handle is dropped again.
    ForEach,
    /// `set_capacity`.
    SetCapacity { flows: usize },
    /// `burst`, within those that are open.
    OpenBurst { now: Timestamp },
    /// `get` of the burst opened last.
    BurstGet { key: u64, now: Timestamp },
    /// `handle` of the burst opened last, for a flow that it borrowed.
    BurstHandle { flow: FlowId },
    /// The burst opened last is closed.
    CloseBurst,
    /// One handle more, from another one.
    Clone { flow: FlowId },
    /// One handle less.
    Drop { flow: FlowId },
    /// `upgrade` of a weak reference.
    Upgrade { flow: FlowId },
}

impl Op {
    /// The flow that an insertion makes.
    pub(crate) const fn spec(&self) -> Option<Spec> {
        match *self {
            Self::Insert { flow, .. } | Self::InsertIfAbsent { flow, .. } | Self::GetOrInsertWith { flow, .. } => {
                Some(flow)
            }
            _ => None,
        }
    }

    /// The flow that an operation on a table is given a handle to.
    pub(crate) const fn given(&self) -> Option<FlowId> {
        match *self {
            Self::Reinsert { flow, .. }
            | Self::Refresh { flow, .. }
            | Self::SetDeadline { flow, .. }
            | Self::SetTimeout { flow, .. }
            | Self::Cancel { flow }
            | Self::RemoveFlow { flow } => Some(flow),
            _ => None,
        }
    }
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the result of the operation")]
pub enum Outcome {
    /// Nothing.
    Done,
    /// A look-up or burst look-up.
    Found(Option<Sight>),
    /// An insertion.
    Inserted(Result<Admitted, Refusal>),
    /// `refresh`, `cancel`, `remove_flow`, `upgrade`, `Burst::handle`: `true` if it succeeded.
    Granted(bool),
    /// A setter, with the status in its error.
    Set(Result<(), Status>),
    /// `remove`.
    Removed(Option<(FlowId, Direction)>),
    /// A reap, with the flows that it handed over, in order.
    Reaped { ended: Vec<End>, report: ReapReport },
    /// An iteration, with each visit, in the order of the numbers.
    Visited(Vec<FlowId>),
}

impl Outcome {
    /// Returns `true` if an insertion found no room.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Inserted(Err(Refusal::Full { .. })))
    }
}

/// A flow found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Which one.
    pub flow: FlowId,
    /// Which of its keys matched.
    pub direction: Direction,
    /// Its status then.
    pub status: Status,
}

/// A flow handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Which one.
    pub flow: FlowId,
    /// Why.
    pub reason: EndReason,
}

/// The result of an insertion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Inserted` and `Admission`")]
pub enum Admitted {
    /// Installed.
    New { replaced: Option<FlowId> },
    /// Found a live flow instead. `direction` is the holder's, `key` the rejected flow's or the look-up's.
    Existing { holder: FlowId, direction: Direction, key: Direction, rejected: bool },
}

/// Why an insertion was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are those of `InsertError` and `ReinsertError`")]
pub enum Refusal {
    Full { capacity: usize },
    IdenticalKeys,
    Conflict { holder: FlowId, direction: Direction, key: Direction },
    Active,
    Cancelled,
}
