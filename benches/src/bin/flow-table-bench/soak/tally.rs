use std::ops::AddAssign;

use flow_table::{EndCounts, EndReason, Stats};

use super::operation::Operation;
use super::setting::Setting;
use super::values::Values;

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
    /// Cancellations, removals, replacements and evictions that this thread did.
    pub(super) cancelled: u64,
    pub(super) removed: u64,
    pub(super) replaced: u64,
    pub(super) evicted: u64,
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

/// What was done to one table, or to all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    pub(super) tally: Tally,
    pub(super) inserts: u64,
    pub(super) refusals: u64,
    pub(super) ended: EndCounts,
    /// Panics of values in their `Drop`.
    pub(super) panics: u64,
    pub(super) bursts_forgotten: u64,
}

impl Total {
    pub(super) fn new(tally: Tally, stats: Stats, panics: u64, setting: Setting) -> Self {
        Self {
            tally,
            inserts: stats.inserts,
            refusals: stats.refusals,
            ended: stats.ended,
            panics,
            bursts_forgotten: u64::from(setting.forgets_a_burst),
        }
    }
}

impl AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        self.inserts += other.inserts;
        self.refusals += other.refusals;
        self.ended.expired += other.ended.expired;
        self.ended.cancelled += other.ended.cancelled;
        self.ended.removed += other.ended.removed;
        self.ended.replaced += other.ended.replaced;
        self.ended.evicted += other.ended.evicted;
        self.panics += other.panics;
        self.bursts_forgotten += other.bursts_forgotten;
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
        self.evicted += other.evicted;
        self.expired_handed_over += other.expired_handed_over;
        self.cancelled_handed_over += other.cancelled_handed_over;
    }
}
