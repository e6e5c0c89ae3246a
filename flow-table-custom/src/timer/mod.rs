//! The timer queue of a shard. It finds the entries that come due next. The entries themselves store where they
//! are filed.
//!
//! A [timing wheel](wheel::Wheel) files entries by ticks of 8.4 ms, in arrays of entry indices. Where they are
//! few, a bucket of 2.1 s is put in exact order at once, as a [run](run::Run). A small [`Heap`] does this for the
//! other entries of the current tick, and for those that are late. The record of an entry has its [`Position`], so
//! that it can be taken out without a search.
//!
//! Refreshes do not touch the queue. When an entry comes up, the queue asks for its flow's deadline
//! ([`Entries::due`]), and files the entry again if the deadline is later now. So an entry is never filed under
//! a deadline that is later than its flow's. An operation that moves a deadline to an *earlier* time takes the
//! entry out and files it again.
//!
//! It is a plain data structure, used under the shard's lock. It has no atomics and no unsafe code, and runs no
//! user code.

#![forbid(unsafe_code)]

mod blocks;
mod buckets;
mod entries;
mod heap;
mod level;
mod position;
mod queue;
mod run;
mod tick;
mod wheel;

#[cfg(test)]
mod tests;

pub(crate) use entries::{Due, Entries};
pub(crate) use heap::Heap;
pub(crate) use position::{Place, Position};
pub(crate) use queue::TimerQueue;
