use crate::EndReason;

/// How many flows one reaping call may visit (contract R1).
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

/// What one reaping call did (contract R1). The three counts together are the flows visited, at most the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReapReport {
    /// Flows let go because their deadline had passed, those included that a look-up or an insert had expired.
    pub expired: usize,
    /// Flows let go because they were cancelled.
    pub cancelled: usize,
    /// Flows that a refresh had moved: filed again under their new deadline.
    pub rescheduled: usize,
    /// The budget ran out before the work did.
    pub more: bool,
}

impl ReapReport {
    /// Flows visited.
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

/// A flow that the table lets go, still readable through `flow` (contract R4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "this is the only hand-over of the flow's record"]
pub struct Ended<R> {
    /// The handle: drop it, or keep it for as long as the record is wanted.
    pub flow: R,
    /// Why the flow ended: [`EndReason::Expired`] or [`EndReason::Cancelled`].
    pub reason: EndReason,
}
