//! Workloads that measure a flow table, generic over the backend.
//!
//! A workload prepares a table of a given size once and then runs operations on it; each checks its results, so
//! that a backend cannot win by failing. `cargo bench -p flow-table-benches` runs them all for every backend,
//! `cargo bench -p flow-table-benches -- 'miss/custom'` those whose name matches.

#![forbid(unsafe_code)]

pub mod data;
mod workload;
pub mod workloads;

pub use workload::Workload;
