//! The references that the table holds: filed by deadline, or dying.

pub(crate) mod filed;
#[expect(clippy::module_inception, reason = "the file is named after what is in it")]
pub(crate) mod queue;
pub(crate) mod queues;
pub(crate) mod seats;
