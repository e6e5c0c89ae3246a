use std::ops::AddAssign;

use flow_table::EndReason;

use super::ledger::Values;
use super::operation::Operation;

/// What one thread did, or all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    operations: [u64; Operation::ALL.len()],
    /// Values made.
    pub(super) made: Values,
    /// Insertions and reinsertions that succeeded.
    pub(super) inserted: u64,
    /// The latter of these.
    pub(super) reinserted: u64,
    /// Insertions and reinsertions refused by a full table.
    pub(super) refused: u64,
    /// Cancellations, removals and replacements that this thread did.
    pub(super) cancelled: u64,
    pub(super) removed: u64,
    pub(super) replaced: u64,
    /// Flows handed over that had expired, or were cancelled.
    pub(super) expired_handed_over: u64,
    pub(super) cancelled_handed_over: u64,
}

impl Tally {
    pub(super) const fn did(&mut self, operation: Operation) {
        self.operations[operation as usize] += 1;
    }

    pub(super) fn handed_over(&mut self, reason: EndReason) {
        match reason {
            EndReason::Cancelled => self.cancelled_handed_over += 1,
            _ => self.expired_handed_over += 1,
        }
    }

    /// All operations by kind.
    pub(super) fn by_operation(&self) -> impl Iterator<Item = (Operation, u64)> {
        Operation::ALL.into_iter().map(|operation| (operation, self.operations[operation as usize]))
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations.iter().sum()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.operations.iter_mut().zip(other.operations) {
            *mine += theirs;
        }
        self.made = self.made.and(other.made);
        self.inserted += other.inserted;
        self.reinserted += other.reinserted;
        self.refused += other.refused;
        self.cancelled += other.cancelled;
        self.removed += other.removed;
        self.replaced += other.replaced;
        self.expired_handed_over += other.expired_handed_over;
        self.cancelled_handed_over += other.cancelled_handed_over;
    }
}
