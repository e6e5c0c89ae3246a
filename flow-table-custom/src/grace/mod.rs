//! The grace period: flows that ended while bursts were open wait until none of these bursts can be looking at
//! them.

mod bursts;
mod limbo;

pub(crate) use bursts::{Announcement, Bursts, Unseen};
pub(crate) use limbo::Limbo;
