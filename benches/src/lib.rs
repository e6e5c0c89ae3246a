//! Workloads that measure flow tables, and what the tables are compared with.
//!
//! * [`Workload`]: what is done, by name. Each run checks its result.
//! * [`Candidate`]: what is measured: the backends, other maps and caches ([`peers`]), and the hardware
//!   ([`floor`]). Each is a [`subject::Subject`].
//! * [`measure`]: candidates in turns, round by round, on threads that stay.
//! * [`grow`]: what one process measures when it fills one table from empty.
//!
//! `cargo bench -p flow-table-benches` runs them under Criterion. The program `flow-table-bench` has a command
//! `bench` that does what Criterion cannot, and the commands `soak` and `floods`, which test tables.

#![deny(unsafe_code)]

pub mod backend;
mod candidate;
pub mod codec;
mod contender;
mod crew;
pub mod data;
pub mod floor;
pub mod grow;
pub mod lane;
pub mod measure;
mod memory;
pub mod meter;
pub mod peers;
pub mod subject;
mod workload;
mod workloads;
mod world;

pub use candidate::{Candidate, Role, UnknownCandidate};
pub use contender::{Contender, FEWEST_FLOWS, Setting};
pub use crew::{Crew, Team};
pub use memory::{available_bytes, resident_bytes};
pub use workload::{UnknownWorkload, Workload};
pub use world::{Run, World};
