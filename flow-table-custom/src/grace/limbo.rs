//! The flows that ended while bursts were open that may be looking at them.
//!
//! A flow waits in the list of one burst that may see it. When that burst closes, it looks for another burst that
//! may see the flow. If there is none, the flow is *ready*, and is dropped. So flows that wait for a burst that
//! stalls cost nothing until it closes, and a closing burst looks at its own list only.
//!
//! # Ground rules
//!
//! * P8. A thread that adds a flow to a burst's list sets the slot's mark (`Slot::awaited`), and then looks
//!   whether the burst is still open. A burst closes, and then looks at the mark. All of this is in one total
//!   order, so at least one of them sees the other. The marks are set and cleared under the lock of limbo.
//! * A list may have flows of an earlier burst in the slot, whose closing thread has not come here yet. They are
//!   looked at again when either comes.
//! * Values are dropped under no lock, and their drops may open and close bursts. A thread that makes flows ready
//!   drops as many. If it is dropping others already, within whose drop it came here, it drops them later: so
//!   collecting never nests.
//! * The era moves when many flows have begun to wait for one burst. So of the flows that were inserted after the
//!   burst's last look-up, so many wait for it at most, and those that were in the table when the era moved.

use std::collections::VecDeque;

use arrayvec::ArrayVec;

use super::bursts::{Bursts, ClockLock, Unseen};
use crate::ids::EntryIndex;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// When a list becomes empty, it keeps memory for so many entries.
const KEPT: usize = 64;

/// The most entries that are taken or looked at under one lock.
const BATCH: usize = 32;

/// The era moves each time that so many more flows wait for one burst.
const FLOWS_PER_ERA: usize = if cfg!(flow_table_loom) { 1 } else { 1_024 };

/// Entries whose flows have no reference any more, but that open bursts may be looking at.
pub(crate) struct Limbo {
    /// The number of entries that wait.
    len: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// An entry that waits: when its flow was born and stamped.
#[derive(Clone, Copy)]
struct Waiter {
    epoch: u64,
    birth: u32,
    entry: EntryIndex,
}

/// What the lock protects.
struct Waiting {
    /// The right to move epoch and era of the bursts.
    clock: ClockLock,
    /// The entries that wait for the burst in each slot.
    lists: Vec<VecDeque<Waiter>>,
    /// Entries that wait for no burst.
    ready: VecDeque<EntryIndex>,
    collectors: Vec<Collector>,
}

/// A thread that is collecting.
struct Collector {
    thread: usize,
    /// The entries that it still has to drop: as many as it has made ready.
    due: usize,
}

impl Limbo {
    pub(crate) fn new() -> Self {
        let waiting =
            Waiting { clock: ClockLock(()), lists: Vec::new(), ready: VecDeque::new(), collectors: Vec::new() };
        Self { len: AtomicUsize::new(0), waiting: Mutex::new(waiting) }
    }

    /// The number of entries that wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a statistic.
        self.len.load(Ordering::Relaxed)
    }

    /// P15. A stamp for flows that were marked before this call: bursts that open from now on see the marks.
    pub(crate) fn stamp(&self, bursts: &Bursts) -> u64 {
        bursts.next_epoch(&mut self.waiting.lock().clock)
    }

    /// Adds entries whose flows have no reference any more, with their births. Returns `true` if the caller's
    /// thread, which has this number, is to begin collecting.
    pub(crate) fn push(
        &self,
        bursts: &Bursts,
        thread: usize,
        entries: impl IntoIterator<Item = (EntryIndex, u32)>,
    ) -> bool {
        let mut waiting = self.waiting.lock();
        let (epoch, before) = (bursts.next_epoch(&mut waiting.clock), waiting.ready.len());
        for (entry, birth) in entries {
            waiting.place(bursts, Waiter { epoch, birth, entry });
        }
        self.begin(&mut waiting, before, thread)
    }

    /// Looks again at entries that waited for the burst in this slot: at `left` of them at most. Those that no
    /// other burst can see become ready. `left` is lowered to what there is still to do. Returns `true` if the
    /// caller's thread is to begin collecting.
    pub(crate) fn review(&self, bursts: &Bursts, thread: usize, slot: usize, left: &mut usize) -> bool {
        let mut waiting = self.waiting.lock();
        let before = waiting.ready.len();
        let Some(list) = waiting.lists.get_mut(slot) else {
            *left = 0;
            return false;
        };
        *left = list.len().min(*left);
        let some = (*left).min(BATCH);
        let batch: ArrayVec<_, BATCH> = list.drain(..some).collect();
        if list.is_empty() {
            if list.capacity() > KEPT {
                *list = VecDeque::new();
            }
            let slot = bursts.slots().nth(slot);
            // SeqCst: see the ground rules.
            slot.into_iter().for_each(|slot| slot.awaited.store(0, Ordering::SeqCst));
        }
        batch.into_iter().for_each(|waiter| waiting.place(bursts, waiter));
        *left -= some;
        self.begin(&mut waiting, before, thread)
    }

    /// What [`push`](Self::push) must not do: leave it to the burst to see the mark.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn push_without_a_look_back(
        &self,
        bursts: &Bursts,
        thread: usize,
        [(entry, birth)]: [(EntryIndex, u32); 1],
    ) -> bool {
        let mut waiting = self.waiting.lock();
        let (epoch, before) = (bursts.next_epoch(&mut waiting.clock), waiting.ready.len());
        let seen = bursts.slots().find(|slot| slot.may_see(birth, epoch));
        match seen {
            Some(slot) => {
                waiting.lists.resize_with(2, VecDeque::new);
                waiting.lists[slot.number].push_back(Waiter { epoch, birth, entry });
                slot.awaited.store(1, Ordering::SeqCst);
            }
            None => waiting.ready.push_back(entry),
        }
        self.begin(&mut waiting, before, thread)
    }

    /// What must not happen before a flow has ended: a stamp, for [`push_stamped`](Self::push_stamped).
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn stamp_early(&self, bursts: &Bursts) -> u64 {
        bursts.next_epoch(&mut self.waiting.lock().clock)
    }

    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn push_stamped(
        &self,
        bursts: &Bursts,
        thread: usize,
        epoch: u64,
        (entry, birth): (EntryIndex, u32),
    ) -> bool {
        let mut waiting = self.waiting.lock();
        let before = waiting.ready.len();
        waiting.place(bursts, Waiter { epoch, birth, entry });
        self.begin(&mut waiting, before, thread)
    }

    /// The number of lists of bursts.
    pub(crate) fn lists(&self) -> usize {
        self.waiting.lock().lists.len()
    }

    /// Has the thread drop as many entries as it has made ready: all but `before`. Returns `true` if it was not
    /// collecting before.
    fn begin(&self, waiting: &mut Waiting, before: usize, thread: usize) -> bool {
        self.count(waiting);
        let made = waiting.ready.len() - before;
        if made == 0 {
            return false;
        }
        match waiting.collectors.iter_mut().find(|collector| collector.thread == thread) {
            Some(collector) => {
                collector.due += made;
                false
            }
            None => {
                waiting.collectors.push(Collector { thread, due: made });
                true
            }
        }
    }

    /// Takes entries that are ready, for a thread that is collecting. If there are none left for it, the thread
    /// stops collecting.
    pub(crate) fn take(&self, thread: usize) -> (ArrayVec<EntryIndex, BATCH>, Unseen) {
        let mut waiting = self.waiting.lock();
        let Waiting { ready, collectors, .. } = &mut *waiting;
        let mut taken = ArrayVec::new();
        if let Some(at) = collectors.iter().position(|collector| collector.thread == thread) {
            let some = collectors[at].due.min(BATCH);
            taken.extend(ready.drain(..some));
            collectors[at].due -= some;
            if some == 0 {
                collectors.swap_remove(at);
            }
        }
        if ready.is_empty() && ready.capacity() > KEPT {
            *ready = VecDeque::new();
        }
        self.count(&waiting);
        (taken, Unseen(()))
    }

    fn count(&self, waiting: &Waiting) {
        let len = waiting.lists.iter().map(VecDeque::len).sum::<usize>() + waiting.ready.len();
        // Relaxed: a statistic.
        self.len.store(len, Ordering::Relaxed);
    }

    /// Bytes on the heap.
    pub(crate) fn memory(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.lists.capacity() * size_of::<VecDeque<Waiter>>()
            + waiting.lists.iter().map(|list| list.capacity() * size_of::<Waiter>()).sum::<usize>()
            + waiting.ready.capacity() * size_of::<EntryIndex>()
            + waiting.collectors.capacity() * size_of::<Collector>()
    }
}

impl Waiting {
    /// Adds an entry to the list of a burst that may see it. If there is none, the entry is ready.
    fn place(&mut self, bursts: &Bursts, waiter: Waiter) {
        let Self { clock, lists, ready, .. } = self;
        for slot in bursts.slots() {
            if !slot.may_see(waiter.birth, waiter.epoch) {
                continue;
            }
            if lists.len() <= slot.number {
                lists.resize_with(slot.number + 1, VecDeque::new);
            }
            let list = &mut lists[slot.number];
            list.push_back(waiter);
            // SeqCst: see the ground rules. The burst may have closed before it could see the mark.
            slot.awaited.store(1, Ordering::SeqCst);
            if slot.may_see(waiter.birth, waiter.epoch) {
                if list.len().is_multiple_of(FLOWS_PER_ERA) {
                    bursts.next_era(clock);
                }
                return;
            }
            list.pop_back();
        }
        ready.push_back(waiter.entry);
    }
}
