//! The shards of a table: the parts that are locked independently. A shard has the entries of its flows, their
//! timers, and the segments of the hash table for its part of the hashes. Everything that a shard's lock
//! protects is reached through [`ShardGuard`].

mod capacity;
mod counters;
mod due;
mod dying;
mod emptying;
mod filed;
mod guard;
mod keep;
mod locks;
mod shards;
mod sparse;
mod switch;

#[cfg(all(test, flow_table_loom))]
pub(crate) use capacity::Capacity;
pub(crate) use counters::{Counter, Counters};
#[cfg(all(test, flow_table_loom))]
pub(crate) use due::DueTimes;
pub(crate) use emptying::{Emptied, Stage};
pub(crate) use guard::{Held, Question, ShardGuard, reason_of};
pub(crate) use locks::Locks;
pub(crate) use shards::Shards;
pub(crate) use switch::Replacement;
#[cfg(all(test, flow_table_loom))]
pub(crate) use switch::Switch;
