use std::collections::VecDeque;

use crate::index::EntryIndex;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// Entries for which the queue keeps its memory when it is empty.
const KEPT: usize = 64;

/// Entries that nobody references any more, but that open bursts may be looking at: with the epoch in which each came here,
/// oldest first (nearly: stamps are taken before the lock).
pub(crate) struct Limbo {
    /// Kept beside the queue, so that closing a burst need not lock.
    waiting: AtomicUsize,
    queue: Mutex<VecDeque<(u64, EntryIndex)>>,
}

impl Limbo {
    pub(crate) fn new() -> Self {
        Self { waiting: AtomicUsize::new(0), queue: Mutex::new(VecDeque::new()) }
    }

    /// Entries that wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SeqCst: comes after `Bursts::close` in the total order. Of the last burst that closes and a release that sees the
        // burst open and then waits here, at least one sees the other.
        self.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn push(&self, stamp: u64, entries: impl IntoIterator<Item = EntryIndex>) {
        let mut queue = self.queue.lock();
        queue.extend(entries.into_iter().map(|entry| (stamp, entry)));
        // SeqCst: pairs with `len`.
        self.waiting.store(queue.len(), Ordering::SeqCst);
    }

    /// Takes an entry that came before the epoch `safe`.
    pub(crate) fn pop(&self, safe: u64) -> Option<EntryIndex> {
        let mut queue = self.queue.lock();
        let (stamp, entry) = *queue.front()?;
        if stamp >= safe {
            return None;
        }
        queue.pop_front();
        if queue.is_empty() && queue.capacity() > KEPT {
            *queue = VecDeque::new();
        }
        // SeqCst: pairs with `len`.
        self.waiting.store(queue.len(), Ordering::SeqCst);
        Some(entry)
    }
}
