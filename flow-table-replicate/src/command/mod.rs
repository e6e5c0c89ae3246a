//! The command `flow-table replicate`: what operators see of a cluster, without being a part of it.

mod args;
mod failure;
mod show;
mod status;
mod tail;
mod verify;

pub use args::{Arguments, run};
pub use failure::Failure;
