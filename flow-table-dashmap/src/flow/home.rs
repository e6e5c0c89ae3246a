use std::sync::{Arc, Weak};

use crossbeam::queue::SegQueue;

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

/// What a flow knows of the queue that holds it while the table does: that of the thread which inserted it, for good.
pub(crate) struct Home<K, R> {
    pub(crate) shared: Arc<Shared<K, R>>,
    /// The queue's number.
    pub(crate) queue: usize,
    pub(crate) counts: Counts,
    /// Notes: flows that ended without being due, or before a reap came, because they were cancelled or expired on the spot.
    /// May name flows that are gone or have come back, but no more of those than flows are in the queue.
    pub(crate) ended: SegQueue<FlowId>,
}

impl<K, R> Home<K, R> {
    /// Bytes of a note, in a list of blocks.
    pub(crate) const NOTE_BYTES: usize = size_of::<(FlowId, usize)>() + 1;

    pub(crate) fn new(shared: &Arc<Shared<K, R>>, queue: usize) -> Self {
        Self { shared: Arc::clone(shared), queue, counts: Counts::default(), ended: SegQueue::new() }
    }
}
