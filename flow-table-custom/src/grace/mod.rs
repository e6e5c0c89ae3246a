//! The grace period: what ended while bursts were open waits until none of these can be looking at it.

mod bursts;
mod limbo;

pub(crate) use bursts::{Announcement, Bursts, Unseen};
#[cfg(all(test, flow_table_loom))]
pub(crate) use limbo::BATCH;
pub(crate) use limbo::Limbo;
