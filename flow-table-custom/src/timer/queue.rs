use std::alloc::{Layout, handle_alloc_error};

use flow_table_api::Timestamp;

use super::buckets::PREFETCH;
use super::run::Run;
use super::tick::Tick;
use super::wheel::{First, Wheel};
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
    /// Entries that are not after the wheel's horizon, from one bucket.
    run: Run,
    /// The other entries that are not after the wheel's horizon: those of the current tick at least, and those
    /// that are late.
    heap: Heap,
}

impl TimerQueue {
    /// An empty queue. Allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { wheel: Wheel::new(), run: Run::new(), heap: Heap::new() }
    }

    /// Makes memory ready for so many entries, and keeps it. There are none yet.
    pub(crate) fn keep(&mut self, entries: usize) -> Result<(), AllocError> {
        self.heap.keep(entries)?;
        self.wheel.keep(entries)
    }

    /// Files an entry that is not filed, and returns its position, which the caller stores. Without memory it
    /// stays unfiled.
    #[inline(always)]
    pub(crate) fn arm(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries,
    ) -> Result<Position, AllocError> {
        match self.wheel.file(entry, Tick::of(deadline))? {
            Some(position) => Ok(position),
            None => self.arm_soon(entry, deadline, entries),
        }
    }

    /// As [`arm`](Self::arm), before the wheel's horizon.
    #[inline(never)]
    fn arm_soon(
        &mut self,
        entry: EntryIndex,
        deadline: Timestamp,
        entries: &mut impl Entries,
    ) -> Result<Position, AllocError> {
        entries.comes_up(entry);
        self.heap.push(entry, deadline, entries)
    }

    /// Files an entry again that was taken out to be moved. No caller could handle an error here (P13). Without
    /// memory for a block, the entry goes to the heap, which takes any deadline. Without memory for that, the
    /// process ends.
    pub(crate) fn rearm<E: Entries>(&mut self, entry: E::Found, deadline: Timestamp, entries: &mut E) {
        let filed = self.arm(E::index(entry), deadline, entries);
        let position = filed.unwrap_or_else(|AllocError| self.rearm_slow(E::index(entry), deadline, entries));
        entries.set_position(entry, position);
    }

    #[cold]
    #[inline(never)]
    fn rearm_slow(&mut self, entry: EntryIndex, deadline: Timestamp, entries: &mut impl Entries) -> Position {
        let filed = self.heap.push(entry, deadline, entries);
        filed.unwrap_or_else(|AllocError| handle_alloc_error(Layout::new::<(Timestamp, EntryIndex)>()))
    }

    /// Takes an entry out. Returns `false` if it was not filed.
    #[inline(always)]
    pub(crate) fn disarm<E: Entries>(&mut self, entry: E::Found, entries: &mut E) -> bool {
        if let Place::Block(block, slot) = entries.position(entry).place() {
            self.wheel.remove(block, slot, entries);
        } else if !self.disarm_soon(entry, entries) {
            return false;
        }
        entries.set_position(entry, Position::NONE);
        true
    }

    /// As [`disarm`](Self::disarm), if it is not in the wheel. The caller stores its position.
    #[inline(never)]
    fn disarm_soon<E: Entries>(&mut self, entry: E::Found, entries: &mut E) -> bool {
        match entries.position(entry).place() {
            Place::Heap(index) => self.heap.remove(index, entries),
            Place::Run(index) => self.run.remove(index),
            Place::Nowhere | Place::Dying(_) | Place::Block(..) => return false,
        }
        true
    }

    /// Files `new`, which is filed nowhere, in the place of `old`.
    pub(crate) fn rename<E: Entries>(&mut self, old: E::Found, new: E::Found, entries: &mut E) {
        debug_assert!(!entries.position(new).is_filed(), "filed twice");
        let position = entries.position(old);
        match position.place() {
            Place::Nowhere | Place::Dying(_) => return,
            Place::Heap(index) => self.heap.rename(index, E::index(new)),
            Place::Run(index) => self.run.rename(index, E::index(new)),
            Place::Block(block, slot) => self.wheel.rename(block, slot, E::index(new)),
        }
        entries.set_position(new, position);
        entries.set_position(old, Position::NONE);
    }

    /// Takes out the next entry for which [`Entries::due`] returns `Now`. Returns `None` if `budget` is used up
    /// or no entry is due at `now`.
    ///
    /// Each entry that is looked at uses one of the budget. Entries that turn out to be due later are filed
    /// again and counted in `rescheduled`. If the result is `None` and budget is left,
    /// [`next_due`](Self::next_due) is after `now`.
    #[inline(always)]
    pub(crate) fn pop_due<E: Entries>(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        entries: &mut E,
    ) -> Option<E::Found> {
        while *budget > 0 {
            let entry = match self.take_in_order(now, entries) {
                Some(entry) => entry,
                None => {
                    let (tick, first) = (Tick::of(now), self.wheel.begun(Tick::of(now))?);
                    if !first.is_open() && self.put_in_order(first, now, budget, rescheduled, entries) {
                        continue;
                    }
                    self.wheel.take(first, tick, entries)?
                }
            };
            let entry = entries.find(entry);
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

    /// Opens a bucket with few entries that begins by `now`, and puts them in order, except those that are due
    /// after the bucket's end: these are filed. Returns `false` if it has not done so.
    #[inline(never)]
    fn put_in_order(
        &mut self,
        first: First,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        entries: &mut impl Entries,
    ) -> bool {
        let Some(len) = self.wheel.len_to_order(first, Tick::of(now)) else { return false };
        if !self.run.is_empty() || *budget < len || self.run.reserve(len).is_err() {
            return false;
        }
        self.wheel.open(first, Tick::of(now), entries);
        while let Some(block) = self.wheel.take_block(first, entries) {
            let block = block.entries();
            for (at, &entry) in block.iter().enumerate().rev() {
                if let Some(ahead) = at.checked_sub(PREFETCH) {
                    entries.prefetch(block[ahead]);
                }
                let found = entries.find(entry);
                let Due::At(deadline) = entries.due(found, now) else {
                    self.run.push(entry, Timestamp::ZERO);
                    continue;
                };
                *budget -= 1;
                *rescheduled += 1;
                match self.wheel.file(entry, Tick::of(deadline)) {
                    Ok(Some(position)) => entries.set_position(found, position),
                    // Without memory for a block of the wheel, it goes to the run, which takes any deadline.
                    Ok(None) | Err(AllocError) => self.run.push(entry, deadline),
                }
            }
        }
        self.run.sort(entries);
        true
    }

    /// A time before which the entry does not come up, and by which it does if that is an exact one. `None` if it
    /// is not filed.
    pub(crate) fn comes_up_from<E: Entries>(&self, entry: E::Found, entries: &E) -> Option<Timestamp> {
        match entries.position(entry).place() {
            Place::Nowhere | Place::Dying(_) => None,
            Place::Heap(index) => Some(self.heap.time(index)),
            Place::Run(index) => Some(self.run.time(index)),
            Place::Block(block, _) => Some(self.wheel.begin(block).start()),
        }
    }

    /// Takes out the next entry that is filed under `now` or before, or in a bucket that begins by then.
    /// Returns that time, or when the bucket begins, beside it.
    pub(crate) fn pop<E: Entries>(&mut self, now: Timestamp, entries: &mut E) -> Option<(E::Found, Timestamp)> {
        let (time, entry) = match self.first_in_order() {
            Some(first) if first <= now => (first, self.take_in_order(now, entries)?),
            _ => {
                let first = self.wheel.begun(Tick::of(now))?;
                (first.begins().start(), self.wheel.take(first, Tick::of(now), entries)?)
            }
        };
        let entry = entries.find(entry);
        entries.set_position(entry, Position::NONE);
        Some((entry, time))
    }

    /// Takes out the next entry that is filed under `now` or before, except from the wheel. Its position is left
    /// as it was; the caller sets it.
    #[inline(always)]
    fn take_in_order(&mut self, now: Timestamp, entries: &mut impl Entries) -> Option<EntryIndex> {
        if let Some(first) = self.run.first()
            && first <= now
            && self.heap.first().is_none_or(|other| first <= other)
        {
            return self.run.pop(entries);
        }
        if self.heap.first().is_some_and(|first| first <= now) { self.heap.pop(entries) } else { None }
    }

    /// The earliest time under which an entry is filed, except in the wheel.
    #[inline]
    fn first_in_order(&self) -> Option<Timestamp> {
        match (self.run.first(), self.heap.first()) {
            (Some(run), Some(heap)) => Some(run.min(heap)),
            (run, heap) => run.or(heap),
        }
    }

    /// A time before which no filed entry is due. It may be too early, because entries are in buckets and may
    /// have been refreshed.
    #[inline]
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let wheel = self.wheel.first_tick().map(Tick::start);
        match (wheel, self.first_in_order()) {
            (Some(wheel), Some(other)) => Some(wheel.min(other)),
            (wheel, other) => wheel.or(other),
        }
    }

    /// Bytes allocated, besides the queue itself.
    pub(crate) fn memory(&self) -> usize {
        self.wheel.memory() + self.run.memory() + self.heap.memory()
    }

    /// Gives all memory back that is not needed. The work is proportional to the number of entries filed.
    /// Removal does so by itself, step by step, when more than half of the memory has become unused.
    pub(crate) fn shrink(&mut self, entries: &mut impl Entries) {
        self.wheel.shrink(entries);
        self.run.shrink();
        self.heap.shrink();
    }

    /// Every entry with a time that its deadline is not before, after checking all invariants.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, Timestamp)> {
        let mut filed = self.heap.check(entries);
        filed.extend(self.run.check(entries));
        filed.extend(self.wheel.check(entries));
        filed
    }
}
