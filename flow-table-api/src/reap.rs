use crate::EndReason;

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

/// A flow that has ended and that a reap hands over (contract R4). It can still be read through `flow`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "this is the only hand-over of the flow's record"]
pub struct Ended<R> {
    /// A handle to the flow. Drop it, or keep it for as long as the record is needed.
    pub flow: R,
    /// Why the flow ended: [`EndReason::Expired`] or [`EndReason::Cancelled`].
    pub reason: EndReason,
}
