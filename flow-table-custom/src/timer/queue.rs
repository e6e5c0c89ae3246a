use std::alloc::{Layout, handle_alloc_error};

use flow_table_api::Timestamp;

use super::tick::Tick;
use super::wheel::Wheel;
use super::{Due, Entries, Heap, Place, Position};
use crate::ids::EntryIndex;
use crate::memory::AllocError;

/// Entries by deadline: see the [module](super).
///
/// | operation | cost |
/// |---|---|
/// | [`arm`](Self::arm) | O(1): one index appended to a bucket |
/// | [`disarm`](Self::disarm) | O(1): the bucket's last entry fills the gap; in the heap O(log of what is there) |
/// | [`pop_due`](Self::pop_due) | O(1) for each entry looked at: once for each level that it sinks through |
/// | [`next_due`](Self::next_due) | O(1) |
/// | memory | 4.2 bytes for each entry, plus a partly filled block of 256 bytes for each occupied bucket |
pub(crate) struct TimerQueue {
    wheel: Wheel,
    /// The entries that are not after the wheel's horizon: those of the current tick at least, and those that
    /// are late.
    heap: Heap,
}

impl TimerQueue {
    /// An empty queue. Allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { wheel: Wheel::new(), heap: Heap::new() }
    }

    /// Files an entry that is not filed. Without memory it stays unfiled.
    #[inline]
    pub(crate) fn arm(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries,
    ) -> Result<(), AllocError> {
        debug_assert!(!entries.position(entry).is_filed(), "armed twice");
        self.file(entry, deadline, entries)
    }

    #[inline]
    fn file(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries,
    ) -> Result<(), AllocError> {
        if !self.wheel.file(entry, Tick::of(deadline), entries)? {
            entries.comes_up(entry);
            self.heap.push(entry, deadline, entries)?;
        }
        Ok(())
    }

    /// Files an entry again that was taken out to be moved. No caller could handle an error here (P13). Without
    /// memory for a block, the entry goes to the heap, which takes any deadline. Without memory for that, the
    /// process ends.
    #[inline]
    pub(crate) fn rearm(&mut self, entry: EntryIndex, deadline: Timestamp, entries: &mut impl Entries) {
        if self.file(entry, deadline, entries).is_err() {
            self.rearm_slow(entry, deadline, entries);
        }
    }

    #[cold]
    #[inline(never)]
    fn rearm_slow(&mut self, entry: EntryIndex, deadline: Timestamp, entries: &mut impl Entries) {
        if self.heap.push(entry, deadline, entries).is_err() {
            handle_alloc_error(Layout::new::<(Timestamp, EntryIndex)>());
        }
    }

    /// Takes an entry out. Returns `false` if it was not filed.
    #[inline]
    pub(crate) fn disarm(&mut self, entry: EntryIndex, entries: &mut impl Entries) -> bool {
        match entries.position(entry).place() {
            Place::Nowhere | Place::Dying(_) => return false,
            Place::Heap(index) => self.heap.remove(index, entries),
            Place::Block(block, slot) => self.wheel.remove(block, slot, entries),
        }
        entries.set_position(entry, Position::NONE);
        true
    }

    /// Takes out the next entry for which [`Entries::due`] returns `Now`. Returns `None` if `budget` is used up
    /// or no entry is due at `now`.
    ///
    /// Each entry that is looked at uses one of the budget. Entries that turn out to be due later are filed
    /// again and counted in `rescheduled`. If the result is `None` and budget is left,
    /// [`next_due`](Self::next_due) is after `now`.
    #[inline]
    pub(crate) fn pop_due(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        entries: &mut impl Entries,
    ) -> Option<EntryIndex> {
        while *budget > 0 {
            let entry = self.take(now, entries)?;
            *budget -= 1;
            match entries.due(entry, now) {
                Due::Now => {
                    entries.set_position(entry, Position::NONE);
                    return Some(entry);
                }
                Due::At(deadline) => {
                    debug_assert!(now < deadline);
                    *rescheduled += 1;
                    self.rearm(entry, deadline, entries);
                }
            }
        }
        None
    }

    /// A time before which the entry does not come up, and by which it does if that is an exact one. `None` if it
    /// is not filed.
    pub(crate) fn comes_up_from(&self, entry: EntryIndex, entries: &impl Entries) -> Option<Timestamp> {
        match entries.position(entry).place() {
            Place::Nowhere | Place::Dying(_) => None,
            Place::Heap(index) => Some(self.heap.time(index)),
            Place::Block(block, _) => Some(self.wheel.begin(block).start()),
        }
    }

    /// Takes out the next entry that is filed under `now` or before, or in a bucket that begins by then.
    /// Returns that time, or when the bucket begins, beside it.
    pub(crate) fn pop(&mut self, now: Timestamp, entries: &mut impl Entries) -> Option<(EntryIndex, Timestamp)> {
        let first = self.heap.first().filter(|first| *first <= now);
        let time = first.or_else(|| self.wheel.first_tick().map(Tick::start))?;
        let entry = self.take(now, entries)?;
        entries.set_position(entry, Position::NONE);
        Some((entry, time))
    }

    /// As [`pop`](Self::pop), but leaves the entry's position as it was; the caller sets it.
    #[inline]
    fn take(&mut self, now: Timestamp, entries: &mut impl Entries) -> Option<EntryIndex> {
        match self.heap.first() {
            Some(first) if first <= now => self.heap.pop(entries),
            _ => self.wheel.take(Tick::of(now), entries),
        }
    }

    /// A time before which no filed entry is due. It may be too early, because entries are in buckets and may
    /// have been refreshed.
    #[inline]
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let wheel = self.wheel.first_tick().map(Tick::start);
        match (wheel, self.heap.first()) {
            (Some(wheel), Some(heap)) => Some(wheel.min(heap)),
            (wheel, heap) => wheel.or(heap),
        }
    }

    /// Bytes allocated, besides the queue itself.
    pub(crate) fn memory(&self) -> usize {
        self.wheel.memory() + self.heap.memory()
    }

    /// Gives all memory back that is not needed. The work is proportional to the number of entries filed.
    /// Removal does so by itself, step by step, when more than half of the memory has become unused.
    pub(crate) fn shrink(&mut self, entries: &mut impl Entries) {
        self.wheel.shrink(entries);
        self.heap.shrink();
    }

    /// Every entry with a time that its deadline is not before, after checking all invariants.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, Timestamp)> {
        let mut filed = self.heap.check(entries);
        filed.extend(self.wheel.check(entries));
        filed
    }
}
