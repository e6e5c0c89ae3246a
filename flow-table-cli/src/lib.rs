//! What the program `flow-table` is made of, for its tests and fuzzers: it replays captures through a flow table.
//!
//! * [`read`]: captures as streams of frames.
//! * [`packet`]: from a frame to its flow key.
//! * [`replay`]: keyed packets through a table, in bursts and exactly in packet time, generic over the backend.
//! * [`capture`]: the three together; [`summary`] holds what comes out, [`export`] writes the flows.
//! * [`run`]: the command, with its [`args`].
//!
//! What packets, keys, flows and bytes are is documented at [`packet`] and [`replay`].

#![forbid(unsafe_code)]

pub mod args;
pub mod backend;
pub mod capture;
mod clock;
pub mod direction;
pub mod export;
pub mod idle;
mod json;
pub mod keyed;
pub mod packet;
mod progress;
pub mod protocols;
pub mod read;
pub mod record;
pub mod replay;
mod report;
pub mod run;
pub mod summary;
