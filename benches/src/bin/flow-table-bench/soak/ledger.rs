use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flow_table_benches::data::mix;

use super::temper::Temper;
use super::values::Values;
use super::verdict::Verdict;

/// Counts the values that were dropped, and knows what they do in their drops.
pub(super) struct Ledger {
    stripes: [Stripe; 64],
    /// Flows may go without being handed over: the table is going, or an operation that would have handed them
    /// over may have panicked.
    lenient: AtomicBool,
    verdict: Arc<Verdict>,
    temper: Temper,
}

/// A part of the counts. Each part has cache lines of its own, so that threads do not wait for each other.
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

    /// Counts that the value `serial` was dropped. If it is `sealed`, this is the first time. If it is `lost`, its
    /// flow was in the table and was never handed over.
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
            all.and(Values::new(count, sum))
        })
    }

    /// From now on flows may go without being handed over.
    pub(super) fn forgive(&self) {
        // Relaxed: only this thread, or one that it starts, drops values from now on.
        self.lenient.store(true, Ordering::Relaxed);
    }
}
