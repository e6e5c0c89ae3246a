//! Hash tables in C that dataplanes use, behind the feature `c-peers`: `rte_hash` of DPDK and `cds_lfht` of
//! liburcu.
//!
//! Both get what a program around them needs, in `benches/c`: flows in memory that is reserved at the beginning,
//! and timing wheels, one for each thread, with ticks of about a millisecond. The time of a packet that hits moves
//! the deadline in the flow's line; the wheel finds out when the earlier deadline has come. A flow that was taken
//! out is used again after a grace period, and threads report that they hold none in each `expire` and between
//! runs.
//!
//! So they do less than a flow table. A look-up returns no handle that could be kept. Flows expire up to
//! [`LATE`](Subject::LATE) after their deadline, and what a packet writes in that moment may be lost. Writes to
//! one key must come from one thread at a time. No memory is returned before the end.

mod ffi;

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flow_table::{Timeout, Timestamp};

use self::ffi::{BULK, Table};
use crate::Workload;
use crate::data::Key;
use crate::subject::Subject;

#[cfg(flow_table_dpdk)]
pub use self::ffi::Dpdk;
#[cfg(flow_table_lfht)]
pub use self::ffi::Lfht;
pub use self::ffi::{Calls, Library};

/// A table of some library.
pub struct CPeer<L: Library>(Table<L>);

/// The number of this thread, which chooses its wheel.
#[inline]
fn worker() -> u32 {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static NUMBER: Cell<Option<u32>> = const { Cell::new(None) };
    }
    // Relaxed: the numbers need only differ.
    NUMBER.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

impl<L: Library> CPeer<L> {
    /// Removes the flow with this key. Returns `true` if there was one.
    pub fn remove(&self, key: &Key) -> bool {
        self.0.remove(worker(), key)
    }
}

impl<L: Library> Subject for CPeer<L> {
    type Scratch = ();

    /// Two ticks of 2²⁰ ns: timeouts are rounded up, and the tick in which a packet comes has begun before it.
    const LATE: Duration = Duration::from_nanos(2 << 20);

    fn new(flows: usize, _: usize) -> Self {
        Self(Table::new(flows))
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        match workload {
            Workload::NatPair => Some("it cannot insert under two keys at once"),
            Workload::Flood => Some("its insertions do not look for flows that are due"),
            _ => None,
        }
    }

    fn enter(&self) {
        self.0.enter();
    }

    fn leave(&self) {
        self.0.leave();
    }

    #[inline]
    fn insert(&self, key: Key, timeout: Timeout, now: Timestamp) {
        assert!(self.0.insert(worker(), &key, timeout, now), "the table has room");
    }

    #[inline]
    fn hit(&self, key: &Key, now: Timestamp) -> bool {
        self.0.hit(key, now)
    }

    #[inline]
    fn hit_batch(&self, keys: &[Key], now: Timestamp, (): &mut ()) -> usize {
        keys.chunks(BULK).map(|keys| self.0.hit_bulk(keys, now).count_ones() as usize).sum()
    }

    #[inline]
    fn borrow(&self, keys: &[Key], now: Timestamp) -> usize {
        keys.iter().filter(|key| self.0.hit(key, now)).count()
    }

    #[inline]
    fn borrow_batch(&self, keys: &[Key], now: Timestamp, (): &mut ()) -> usize {
        self.hit_batch(keys, now, &mut ())
    }

    #[inline]
    fn packets(&self, keys: &[Key], now: Timestamp, missing: &mut Vec<usize>, (): &mut ()) {
        for (chunk, keys) in keys.chunks(BULK).enumerate() {
            let hits = self.0.hit_bulk(keys, now);
            missing.extend((0..keys.len()).filter(|key| hits >> key & 1 == 0).map(|key| chunk * BULK + key));
        }
    }

    #[inline]
    fn find(&self, key: &Key, now: Timestamp) -> bool {
        self.0.find(key, now)
    }

    #[inline]
    fn find_batch(&self, keys: &[Key], now: Timestamp, (): &mut ()) -> usize {
        keys.chunks(BULK).map(|keys| self.0.find_bulk(keys, now).count_ones() as usize).sum()
    }

    #[inline]
    fn expire(&self, _: &[Key], now: Timestamp) -> usize {
        self.0.expire(worker(), now)
    }

    #[inline]
    fn reap(&self, now: Timestamp) -> usize {
        self.0.reap(now)
    }

    fn visit(&self) -> usize {
        self.0.visit()
    }

    fn held(&self) -> usize {
        self.0.held()
    }
}
