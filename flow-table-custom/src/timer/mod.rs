//! The timer queue of a shard: which entry comes due next, with the entries' own memory as the only index.
//!
//! A [timing wheel](wheel::Wheel) files entries by tick of 8.4 ms in arrays of entry indices; a small [`Heap`] puts
//! those of the current tick, and whatever is late, in exact order. An entry keeps its [`Position`], so that it can be
//! taken out without a search.
//!
//! The queue files under the deadline that it was told and never hears of refreshes: an entry that comes up asks its
//! flow ([`Entries::due`]) and is filed again if the flow has a later deadline by now. So the deadline an entry
//! is filed under is never later than its flow's, and whoever makes a flow's deadline *earlier* disarms and arms.
//!
//! A plain data structure, used under the shard's lock: no atomics, no unsafe code, no user code.

#![forbid(unsafe_code)]

mod blocks;
mod buckets;
mod heap;
mod level;
mod position;
mod queue;
mod tick;
mod wheel;

#[cfg(test)]
mod tests;

use flow_table_api::Timestamp;

pub(crate) use heap::Heap;
pub(crate) use position::{Place, Position};
pub(crate) use queue::TimerQueue;

use crate::ids::EntryIndex;

/// What a shard tells its timer queue about entries.
pub(crate) trait Entries {
    /// What [`set_position`](Self::set_position) stored last.
    fn position(&self, entry: EntryIndex) -> Position;

    /// Stores where the entry is filed.
    fn set_position(&mut self, entry: EntryIndex, position: Position);

    /// Whether the entry's flow is due at `now`, or else when. Reads the flow: normally a cache miss.
    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due;

    /// Starts to load what [`due`](Self::due) and [`set_position`](Self::set_position) touch.
    fn prefetch(&self, entry: EntryIndex);

    /// The entry was filed in the heap, so its deadline is near or past: starts to load what its end will touch.
    fn comes_up(&self, entry: EntryIndex);
}

/// What [`Entries::due`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The deadline has passed, or the flow has ended otherwise.
    Now,
    /// The flow is live until this time, which is after the `now` that was asked about.
    At(Timestamp),
}
