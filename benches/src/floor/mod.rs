//! The hardware floor, which no table of this layout can go below.
//!
//! A look-up must read one cache line to find the flow and one to use it, the second at an address that it learns
//! from the first. The floor does that and nothing more: no hash, no comparison of keys, no deadline. Lines to
//! find by are as few as can be, eight flows to each; flows lie 128 bytes apart, as a key and a value of these
//! sizes need.
//!
//! How long that takes depends on what the processor does in the meantime. [`Overlapped`] look-ups are
//! independent, so the processor reads for many of them at the same time. Batches aim at that. A [`Serial`]
//! look-up cannot begin before the one before has its result, as if each packet were handled completely before the
//! key of the next one is known. This takes two full memory latencies, one after the other. Look-ups one by one in
//! a loop lie between the two. Their keys are known in advance, so the processor may run ahead into the next
//! look-up, until a locked instruction (a counted reference, a deadline moved) or a mispredicted branch holds it
//! up.

mod lines;

use std::cell::Cell;
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
    /// `true` if it does.
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

/// Whether a look-up waits for the result of the one before.
pub trait Order: Send + Sync + 'static {
    /// `true` if it does.
    const SERIAL: bool;
}

/// Neighbouring look-ups overlap as far as the processor can.
pub struct Overlapped;
/// The address of a look-up's first line depends on what the look-up before has read from its second.
pub struct Serial;

impl Order for Overlapped {
    const SERIAL: bool = false;
}

impl Order for Serial {
    const SERIAL: bool = true;
}

thread_local! {
    /// What the last serial look-up of this thread has read: zero, which neither compiler nor processor can know.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// See the module.
pub struct Floor<P, C, O> {
    flows: usize,
    buckets: Lines<P>,
    entries: Lines<P>,
    kind: PhantomData<(C, O)>,
}

impl<P: PageSize, C: Count, O: Order> Subject for Floor<P, C, O> {
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
        Self { flows, buckets, entries, kind: PhantomData }
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        match workload {
            Workload::LookupHit | Workload::LookupZipf | Workload::BorrowHit => None,
            Workload::LookupHitBatch | Workload::BorrowHitBatch if O::SERIAL => {
                Some("batches are there to overlap")
            }
            Workload::LookupHitBatch | Workload::BorrowHitBatch => None,
            _ => Some("the floor is of look-ups that hit"),
        }
    }

    /// The flows exist from the beginning.
    fn insert(&self, _: Key, _: Timeout, _: Timestamp) {}

    #[inline]
    fn hit(&self, key: &Key, _: Timestamp) -> bool {
        let flow = index(key) as usize;
        let place = if O::SERIAL { flow + LAST.get() as usize } else { flow };
        // Relaxed throughout: nothing else is read on the strength of these values.
        let entry = self.buckets.line(place / PER_LINE)[place % PER_LINE].load(Ordering::Relaxed);
        let entry = self.entries.line(entry as usize * STRIDE);
        if C::COUNTS {
            entry[1].fetch_add(1, Ordering::Relaxed);
            entry[1].fetch_sub(1, Ordering::Relaxed);
        }
        if O::SERIAL {
            LAST.set(entry[2].load(Ordering::Relaxed));
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
