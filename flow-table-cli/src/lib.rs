//! The parts of the program `flow-table`, for its tests and fuzzers. It replays captures through a flow table.
//!
//! * [`read`]: captures as streams of frames.
//! * [`packet`]: from a frame to its flow key.
//! * [`replay`]: keyed packets through a table, in bursts and exactly in packet time, generic over the backend.
//! * [`capture`]: the three together. [`summary`] has the results, and [`output`] writes the flows.
//! * [`workers`]: the same with several threads.
//! * [`input`]: what captures are read from.
//! * [`run`]: the command, with its [`args`]. [`control`] ends it.
//!
//! [`packet`] and [`replay`] define what packets, keys, flows and bytes are.

#![forbid(unsafe_code)]

pub mod args;
pub mod backend;
pub mod bpf;
pub mod capture;
mod clock;
pub mod config;
pub mod control;
pub mod direction;
pub mod filter;
mod fragments;
pub mod idle;
pub mod input;
mod json;
pub mod keyed;
pub mod keyer;
#[cfg(all(feature = "live", target_os = "linux"))]
pub mod live;
pub mod log;
pub mod manual;
mod names;
pub mod output;
pub mod packet;
mod progress;
pub mod protocols;
pub mod read;
pub mod record;
pub mod replay;

mod report;
pub mod run;
pub mod stats;
pub mod summary;
#[cfg(feature = "top")]
pub mod top;
pub mod workers;
