use std::fmt;
use std::time::Duration;

use crate::{EndReason, Status, Timestamp};

/// The number of flows that one reaping call may visit (contract R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(usize);

impl Budget {
    /// No limit.
    pub const UNLIMITED: Self = Self(usize::MAX);

    /// At most `flows` flows.
    pub const fn flows(flows: usize) -> Self {
        Self(flows)
    }

    /// The number of flows.
    pub const fn get(self) -> usize {
        self.0
    }
}

/// The result of one reaping call (contract R1). The three counts add up to the number of flows visited, which
/// is at most the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct ReapReport {
    /// Flows that were handed over because their deadline had passed, including those that a look-up or an
    /// insertion had expired.
    pub expired: usize,
    /// Flows that were handed over because they were cancelled.
    pub cancelled: usize,
    /// Flows that were visited and not handed over. Most of them had been refreshed, and are filed again under
    /// their new deadline.
    pub rescheduled: usize,
    /// `true` if the budget was used up before the work was done: call again.
    pub more: bool,
}

impl ReapReport {
    /// The number of flows visited.
    pub const fn visited(&self) -> usize {
        self.expired + self.cancelled + self.rescheduled
    }
}

impl std::ops::AddAssign for ReapReport {
    fn add_assign(&mut self, other: Self) {
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.rescheduled += other.rescheduled;
        self.more |= other.more;
    }
}

/// What a reap shall do with a flow that it has asked about ([`Table::reap_asking`](crate::Table::reap_asking)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// What a reap does that does not ask: if the deadline of the flow has passed, the flow ends; otherwise it
    /// goes on. The next question comes after the table's [active timeout](crate::TableConfig::active_timeout), if
    /// it has one, or when the deadline has passed.
    #[default]
    Proceed,
    /// If the deadline of the flow has passed, it is moved to this time. In any case the next question comes at
    /// this time, or when the deadline has passed, if that is earlier. A time that is not after the `now` of the
    /// reap means [`Proceed`](Self::Proceed).
    AskAgain(Timestamp),
}

/// A flow that has ended and that a reap hands over (contract R4). It can still be read through `flow`.
///
/// Others may still hold the flow, and change its value: a packet that another thread counts at this moment may
/// not be counted yet. Use [`Table::with_records`](crate::Table::with_records) for records that are final.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "this is the only hand-over of the flow's record"]
pub struct Ended<R> {
    /// A handle to the flow. Drop it, or keep it for as long as the record is needed.
    pub flow: R,
    /// Why the flow ended: [`EndReason::Expired`] or [`EndReason::Cancelled`]; from
    /// [`Table::evict`](crate::Table::evict), [`EndReason::Evicted`].
    pub reason: EndReason,
}

/// All that was known of a flow, once nobody can change it any more (contract R7). A table that was made by
/// [`Table::with_records`](crate::Table::with_records) makes one of each of its flows.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FinalRecord<K, V> {
    /// The forward key.
    pub key: K,
    /// The reply key, if the flow had one.
    pub reply_key: Option<K>,
    /// The value.
    pub value: V,
    /// Why the flow ended last.
    pub reason: EndReason,
    /// Its last deadline.
    pub deadline: Timestamp,
    /// Its last timeout.
    pub timeout: Duration,
}

impl<K, V> FinalRecord<K, V> {
    /// For backends: the record of a flow with these keys, this value and this state.
    pub fn new(
        (key, reply_key): (K, Option<K>),
        value: V,
        status: Status,
        deadline: Timestamp,
        timeout: Duration,
    ) -> Self {
        let reason = match status {
            Status::Expired => EndReason::Expired,
            Status::Cancelled => EndReason::Cancelled,
            Status::Active | Status::Detached => EndReason::Removed,
        };
        Self { key, reply_key, value, reason, deadline, timeout }
    }

    /// The same record with another value.
    pub fn map_value<W>(self, map: impl FnOnce(V) -> W) -> FinalRecord<K, W> {
        let Self { key, reply_key, value, reason, deadline, timeout } = self;
        FinalRecord { key, reply_key, value: map(value), reason, deadline, timeout }
    }
}

impl<K, V> fmt::Debug for FinalRecord<K, V> {
    /// Shows neither keys nor value, so that they need no `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinalRecord")
            .field("two_keys", &self.reply_key.is_some())
            .field("reason", &self.reason)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
