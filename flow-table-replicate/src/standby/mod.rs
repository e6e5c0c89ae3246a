//! The other end: a table that follows.

mod apply;
mod follow;
mod origins;
mod tombstones;

pub use follow::Standby;
#[cfg(feature = "command")]
pub(crate) use origins::{Complete, Origins};
