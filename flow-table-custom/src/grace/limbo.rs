//! What ended while bursts were open that may be looking at it.
//!
//! # Ground rules
//!
//! * P8. Whoever puts entries here looks afterwards whether they may go already ([`collect`]): the last burst
//!   may have closed, and looked here, before they came. Whoever closes a burst looks here afterwards. Both
//!   sides store one word and then load the other's, in the one order of sequentially consistent operations, so
//!   at least one of them sees the other.
//! * Values are dropped under no lock, and their drops may open and close bursts. A thread that is collecting
//!   and is asked to collect again within a value's drop does nothing: it will look again when that value is
//!   gone. So collecting never nests. It is asked, and it ends, under one lock.
//!
//! [`collect`]: crate::core::Core::collect

use std::collections::VecDeque;

use arrayvec::ArrayVec;

use super::bursts::{Bursts, EpochLock, Unseen};
use crate::ids::EntryIndex;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// Entries for which the queue keeps its memory when it is empty.
const KEPT: usize = 64;

/// Entries taken under one lock.
pub(crate) const BATCH: usize = 32;

/// Entries that nobody references any more, but that open bursts may be looking at.
pub(crate) struct Limbo {
    /// Kept beside the queue, so that closing a burst need not lock.
    len: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// What the lock guards.
struct Waiting {
    /// Who has it may stamp and move the epoch of the bursts.
    epoch: EpochLock,
    /// With the epoch in which each came here, oldest first.
    queue: VecDeque<(u64, EntryIndex)>,
    collectors: Vec<Collector>,
}

/// A thread that is collecting.
struct Collector {
    thread: usize,
    /// Entries that it has yet to look at: as many as there were when it was asked last. The others are for
    /// those who bring them.
    due: usize,
}

impl Limbo {
    pub(crate) fn new() -> Self {
        Self {
            len: AtomicUsize::new(0),
            waiting: Mutex::new(Waiting { epoch: EpochLock(()), queue: VecDeque::new(), collectors: Vec::new() }),
        }
    }

    /// Entries that wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SeqCst: comes after `Bursts::close` in the total order; pairs with the stores in `push` and `take`.
        self.len.load(Ordering::SeqCst)
    }

    /// Lets entries wait that have no reference any more.
    pub(crate) fn push(&self, bursts: &Bursts, entries: impl IntoIterator<Item = EntryIndex>) {
        let mut waiting = self.waiting.lock();
        let stamp = bursts.stamp(&mut waiting.epoch);
        waiting.queue.extend(entries.into_iter().map(|entry| (stamp, entry)));
        // SeqCst: pairs with `len`.
        self.len.store(waiting.queue.len(), Ordering::SeqCst);
    }

    /// Asks the thread with this number, the caller's, to collect; whether it is to begin. If it is at it
    /// already, it will look again.
    pub(crate) fn ask(&self, thread: usize) -> bool {
        let mut waiting = self.waiting.lock();
        let due = waiting.queue.len();
        let collecting = waiting.collectors.iter_mut().find(|collector| collector.thread == thread);
        let begins = collecting.is_none();
        match collecting {
            Some(collector) => collector.due = due,
            None => waiting.collectors.push(Collector { thread, due }),
        }
        begins
    }

    /// Takes entries that no open burst can see any more, for a thread that is collecting. If there are none,
    /// it has done its share.
    pub(crate) fn take(&self, bursts: &Bursts, thread: usize) -> (ArrayVec<EntryIndex, BATCH>, Unseen) {
        let mut waiting = self.waiting.lock();
        let safe = bursts.safe_before(&mut waiting.epoch);
        (self.take_before(&mut waiting, safe, thread), Unseen(()))
    }

    /// What [`take`](Self::take) must not be: the epoch moves without the lock under which it is stamped.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn take_hastily(&self, bursts: &Bursts, thread: usize) -> ArrayVec<EntryIndex, BATCH> {
        let safe = bursts.safe_before_without_lock();
        self.take_before(&mut self.waiting.lock(), safe, thread)
    }

    fn take_before(&self, waiting: &mut Waiting, safe: u64, thread: usize) -> ArrayVec<EntryIndex, BATCH> {
        let Waiting { queue, collectors, .. } = waiting;
        let Some(at) = collectors.iter().position(|collector| collector.thread == thread) else {
            return ArrayVec::new();
        };
        let most = collectors[at].due.min(BATCH);
        let ready = queue.iter().take(most).take_while(|(stamp, _)| *stamp < safe).count();
        let taken = queue.drain(..ready).map(|(_, entry)| entry).collect();
        collectors[at].due -= ready;
        if ready == 0 {
            collectors.swap_remove(at);
        }
        if queue.is_empty() && queue.capacity() > KEPT {
            *queue = VecDeque::new();
        }
        // SeqCst: pairs with `len`.
        self.len.store(queue.len(), Ordering::SeqCst);
        taken
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.queue.capacity() * size_of::<(u64, EntryIndex)>()
            + waiting.collectors.capacity() * size_of::<Collector>()
    }
}
