//! The timer queue of a shard: which entry comes due next, with the entries' own memory as the only index.
//!
//! A [timing wheel](wheel::Wheel) files entries by tick of 8.4 ms in arrays of entry indices; a small [`Heap`]
//! puts those of the current tick, and whatever is late, in exact order. An entry keeps its [`Position`], so
//! that it can be taken out without a search.
//!
//! The queue files under the deadline that it was told and never hears of refreshes: an entry that comes up
//! asks its flow ([`Entries::due`]) and is filed again if the flow has a later deadline by now. So the deadline
//! an entry is filed under is never later than its flow's, and whoever makes a flow's deadline *earlier*
//! disarms and arms.
//!
//! A plain data structure, used under the shard's lock: no atomics, no unsafe code, no user code.

#![forbid(unsafe_code)]

mod blocks;
mod buckets;
mod entries;
mod heap;
mod level;
mod position;
mod queue;
mod tick;
mod wheel;

#[cfg(test)]
mod tests;

pub(crate) use entries::{Due, Entries};
pub(crate) use heap::Heap;
pub(crate) use position::{Place, Position};
pub(crate) use queue::TimerQueue;
