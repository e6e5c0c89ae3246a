use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crossbeam::queue::SegQueue;
use flow_table_api::Timestamp;

use crate::base::count::Counts;
use crate::base::id::FlowId;
use crate::base::nesting::Nesting;
use crate::map::slots::Slots;

/// The part of the table that a flow needs at its end, whether or not the table is there still. `R` is the flow.
///
/// It holds no counted reference to any flow, so flows may count references to it.
pub(crate) struct Shared<K, R> {
    pub(crate) slots: Slots<K, Weak<R>>,
    /// Flows to be dropped by a thread that is dropping others.
    pub(crate) nesting: Nesting<R>,
}

/// What a flow knows of the queue that holds it while the table does: that of the thread which inserted it, for
/// good.
pub(crate) struct Home<K, R> {
    pub(crate) shared: Arc<Shared<K, R>>,
    /// The queue's number.
    pub(crate) queue: usize,
    pub(crate) counts: Counts,
    /// Notes: flows that ended without being due, or before a reap came, because they were cancelled or expired on
    /// the spot. May name flows that are gone or have come back, but no more of those than flows are in the queue.
    pub(crate) ended: SegQueue<FlowId>,
    /// The time before which a visit to the queue finds nothing but notes, or `u64::MAX`: a hint that saves taking
    /// the lock. `Relaxed`: it orders nothing, and who acts on it takes the lock. (Whoever takes a note lowers it
    /// before; the list of notes, which is looked at first, shows both in this order.)
    earliest: AtomicU64,
}

impl<K, R> Home<K, R> {
    /// Bytes of a note, in a list of blocks.
    pub(crate) const NOTE_BYTES: usize = size_of::<(FlowId, usize)>() + 1;

    pub(crate) fn new(shared: &Arc<Shared<K, R>>, queue: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            queue,
            counts: Counts::default(),
            ended: SegQueue::new(),
            earliest: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn set_earliest(&self, earliest: Option<Timestamp>) {
        self.earliest.store(earliest.map_or(u64::MAX, Timestamp::as_nanos), Ordering::Relaxed);
    }

    /// The time before which a visit to the queue finds nothing; `None` if it is empty.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if !self.ended.is_empty() {
            return Some(Timestamp::ZERO);
        }
        match self.earliest.load(Ordering::Relaxed) {
            u64::MAX => None,
            nanos => Some(Timestamp::from_nanos(nanos)),
        }
    }
}
