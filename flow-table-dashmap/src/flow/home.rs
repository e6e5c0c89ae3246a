use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::time::Duration;

use crossbeam::queue::SegQueue;
use flow_table_api::{Alarm, Timestamp};

use crate::base::count::Counts;
use crate::base::id::FlowId;
use crate::base::nesting::Nesting;
use crate::base::sync::{Arc, Weak};
use crate::map::slots::Slots;

/// The part of the table that a flow needs at its end, even if the table has gone. `R` is the flow.
///
/// It has no counted reference to any flow, so flows may have counted references to it.
pub(crate) struct Shared<K, R> {
    pub(crate) slots: Slots<K, Weak<R>>,
    /// Flows that a thread will drop that is dropping others.
    pub(crate) nesting: Nesting<R>,
    /// The slack of refreshes.
    pub(crate) slack: Duration,
    /// How long a live flow is filed at most before it comes up, in ns (contract R8).
    pub(crate) period: u64,
    /// Whether a reap has ever asked about a flow.
    pub(crate) asks: AtomicBool,
    /// Those who sleep until the next deadline.
    pub(crate) alarm: Alarm,
    /// Makes final records of the table's flows, if it makes any (contract R7).
    pub(crate) records: Option<Recorder<R>>,
}

impl<K, R> Shared<K, R> {
    /// The time under which a live flow with this deadline is filed at `now`.
    #[inline]
    pub(crate) fn filing(&self, deadline: Timestamp, now: Timestamp) -> Timestamp {
        deadline.min(Timestamp::from_nanos(now.as_nanos().saturating_add(self.period)))
    }

    /// Wakes those who sleep longer than until `time`. Call it under no lock, when the queue knows of the work.
    #[inline]
    pub(crate) fn ring(&self, time: Timestamp) {
        // The queue's hint is a relaxed store. Pairs with the fence of `Table::poll_work`.
        fence(Ordering::SeqCst);
        self.alarm.ring(time);
    }
}

/// Takes a flow that nobody else has.
pub(crate) type Recorder<R> = Box<dyn Fn(R) + Send + Sync>;

/// What a flow knows of its queue, which holds it as long as the table does. This is always the queue of the
/// thread that first inserted it, or prepared it.
pub(crate) struct Home<K, R> {
    pub(crate) shared: Arc<Shared<K, R>>,
    /// The queue's number.
    pub(crate) queue: usize,
    pub(crate) counts: Counts,
    /// Notes name flows that ended before a reap found them due, because they were cancelled or a look-up expired
    /// them, and flows whose deadline was brought forward. Notes may name flows that are gone or have come back,
    /// but no more of these than there are flows in the queue.
    pub(crate) noted: SegQueue<FlowId>,
    /// The time before which a visit to the queue finds nothing but notes, or `u64::MAX`. It is a hint that saves
    /// taking the lock. `Relaxed`: it orders nothing, and a thread that acts on it takes the lock. (A thread that
    /// takes a note lowers this time first. Readers look at the list of notes first, which shows both in this
    /// order.)
    earliest: AtomicU64,
}

impl<K, R> Home<K, R> {
    /// The bytes of a note in a list of blocks.
    pub(crate) const NOTE_BYTES: usize = size_of::<(FlowId, usize)>() + 1;

    pub(crate) fn new(shared: &Arc<Shared<K, R>>, queue: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            queue,
            counts: Counts::default(),
            noted: SegQueue::new(),
            earliest: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn set_earliest(&self, earliest: Option<Timestamp>) {
        self.earliest.store(earliest.map_or(u64::MAX, Timestamp::as_nanos), Ordering::Relaxed);
    }

    /// The time before which a visit to the queue finds nothing, or `None` if the queue is empty.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if !self.noted.is_empty() {
            return Some(Timestamp::ZERO);
        }
        match self.earliest.load(Ordering::Relaxed) {
            u64::MAX => None,
            nanos => Some(Timestamp::from_nanos(nanos)),
        }
    }
}
