use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flow_table_benches::data::mix;

use super::temper::Temper;
use super::verdict::Verdict;

/// Counts the values that were dropped, and knows what they do then.
pub(super) struct Ledger {
    stripes: [Stripe; 64],
    /// Flows may go without being handed over: the table is going, or an operation that would have handed them
    /// over may have panicked.
    lenient: AtomicBool,
    verdict: Arc<Verdict>,
    temper: Temper,
}

/// A set of values, as far as comparing needs it: two that differ have different sums but by a chance of 2⁻⁶⁴.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) count: u64,
    sum: u64,
}

impl Values {
    pub(super) const fn add(&mut self, serial: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(mix(serial));
    }

    /// Whether these are `all`, or at most `spared` fewer.
    pub(super) fn are(self, all: Self, spared: u64) -> bool {
        let short = all.count.checked_sub(self.count);
        self == all || short.is_some_and(|short| 0 < short && short <= spared)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// Each on cache lines of its own, so that threads do not wait for each other.
#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    count: AtomicU64,
    sum: AtomicU64,
}

impl Ledger {
    pub(super) fn new(verdict: Arc<Verdict>) -> Self {
        Self {
            stripes: [(); 64].map(|()| Stripe::default()),
            lenient: AtomicBool::new(false),
            verdict,
            temper: Temper::default(),
        }
    }

    pub(super) const fn temper(&self) -> &Temper {
        &self.temper
    }

    /// The value `serial` was dropped: `sealed`, that is for the first time; `lost`, that is in the table once and
    /// never handed over.
    pub(super) fn dropped(&self, serial: u64, sealed: bool, lost: bool) {
        if !sealed {
            self.verdict.violated(format_args!("V1: value {serial} was dropped twice"));
        }
        // Relaxed: `forgive` is called at rest.
        if lost && !self.lenient.load(Ordering::Relaxed) {
            self.verdict.violated(format_args!("R4: flow {serial} ended and was never handed over"));
        }
        let stripe = &self.stripes[serial as usize % self.stripes.len()];
        // Relaxed: read at rest.
        stripe.count.fetch_add(1, Ordering::Relaxed);
        stripe.sum.fetch_add(mix(serial), Ordering::Relaxed);
    }

    /// All values dropped so far; exact at rest.
    pub(super) fn all_dropped(&self) -> Values {
        let all = Values::default();
        self.stripes.iter().fold(all, |all, stripe| {
            // Relaxed: the end of the threads orders their counting before this.
            let (count, sum) = (stripe.count.load(Ordering::Relaxed), stripe.sum.load(Ordering::Relaxed));
            all.and(Values { count, sum })
        })
    }

    /// From now on flows may go without being handed over.
    pub(super) fn forgive(&self) {
        // Relaxed: whoever drops values from now on is this thread, or one that it starts.
        self.lenient.store(true, Ordering::Relaxed);
    }
}
