//! The hardware floor: what no table of this layout can go below.
//!
//! A look-up must read one cache line to find the flow and one to use it, the second at an address that it learns
//! from the first. The floor does that and nothing more: no hash, no comparison of keys, no deadline. Neighbouring
//! look-ups overlap as far as the processor can. Lines to find by are as few as can be, eight flows to each; flows
//! lie 128 bytes apart, as a key and a value of these sizes need.

mod lines;

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use flow_table::{Timeout, Timestamp};

use self::lines::Lines;
use crate::Workload;
use crate::data::{Key, index, scatter};
use crate::subject::Subject;

pub use self::lines::{HugePages, PageSize, SmallPages};

/// Flows to a line that they are found by.
const PER_LINE: usize = 8;
/// Lines from one flow to the next.
const STRIDE: usize = 2;

/// Whether a look-up counts a reference to the flow up and down again, as a handle does.
pub trait Count: Send + Sync + 'static {
    /// Whether it does.
    const COUNTS: bool;
}

/// Reads only.
pub struct Read;
/// Reads, and a counter goes up and down.
pub struct Counted;

impl Count for Read {
    const COUNTS: bool = false;
}

impl Count for Counted {
    const COUNTS: bool = true;
}

/// See the module.
pub struct Floor<P, C> {
    flows: usize,
    buckets: Lines<P>,
    entries: Lines<P>,
    count: PhantomData<C>,
}

impl<P: PageSize, C: Count> Subject for Floor<P, C> {
    type Scratch = ();

    fn new(flows: usize, _: usize) -> Self {
        let buckets = Lines::new(flows.div_ceil(PER_LINE));
        let entries = Lines::new(flows * STRIDE);
        for flow in 0..flows {
            let entry = scatter(flow as u64, flows as u64);
            // Relaxed: written before any other thread has it.
            buckets.line(flow / PER_LINE)[flow % PER_LINE].store(entry, Ordering::Relaxed);
            entries.line(entry as usize * STRIDE)[0].store(flow as u64, Ordering::Relaxed);
        }
        Self { flows, buckets, entries, count: PhantomData }
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        use Workload::{BorrowHit, BorrowHitBatch, LookupHit, LookupHitBatch, LookupZipf};
        let can = matches!(workload, LookupHit | LookupHitBatch | LookupZipf | BorrowHit | BorrowHitBatch);
        (!can).then_some("the floor is of look-ups that hit")
    }

    /// Its flows are there from the beginning.
    fn insert(&self, _: Key, _: Timeout, _: Timestamp) {}

    #[inline]
    fn hit(&self, key: &Key, _: Timestamp) -> bool {
        let flow = index(key) as usize;
        // Relaxed throughout: nothing else is read on the strength of these values.
        let entry = self.buckets.line(flow / PER_LINE)[flow % PER_LINE].load(Ordering::Relaxed);
        let entry = self.entries.line(entry as usize * STRIDE);
        if C::COUNTS {
            entry[1].fetch_add(1, Ordering::Relaxed);
            entry[1].fetch_sub(1, Ordering::Relaxed);
        }
        entry[0].load(Ordering::Relaxed) == flow as u64
    }

    #[inline]
    fn borrow(&self, keys: &[Key], now: Timestamp) -> usize {
        keys.iter().filter(|key| self.hit(key, now)).count()
    }

    #[inline]
    fn find(&self, key: &Key, now: Timestamp) -> bool {
        self.hit(key, now)
    }

    fn held(&self) -> usize {
        self.flows
    }
}
