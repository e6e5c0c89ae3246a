//! The cases, a module for each theme. Each case is a function that is generic over the backend and named by the
//! behaviour that it demands. `registry.rs` lists them with their rules.

// A case that `registry.rs` does not list would never run.
#![deny(dead_code)]

pub mod bursts;
pub mod capacity;
pub mod concurrency;
pub mod deadline;
pub mod drops;
pub mod dying;
pub mod early_end;
pub mod evicting;
pub mod export;
pub mod forms;
pub mod handles;
pub mod hostile;
pub mod insert;
pub mod iteration;
pub mod lookup;
pub mod memory;
mod operations;
pub mod panics;
pub mod prepared;
pub mod questions;
pub mod random;
pub mod reap;
pub mod records;
pub mod reinsert;
pub mod rest;
pub mod room;
pub mod stable;
pub mod stalls;
pub mod status;
pub mod stress;
pub mod time;
pub mod two_keys;
pub mod values;
pub mod waking;
