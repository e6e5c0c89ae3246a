//! What the program `flow-table` is made of, for its tests and fuzzers: it replays captures through a flow table, and puts the
//! backends to the test.
//!
//! * [`read`]: captures as streams of frames.
//! * [`packet`]: from a frame to its flow key.
//! * [`replay`]: keyed packets through a table, in bursts and exactly in packet time, generic over the backend.
//! * [`capture`]: the three together; [`summary`] holds what comes out, [`export`] writes the flows.
//! * [`run`]: the command, with its [`args`].
//! * With the feature `bench`: `bench` measures the backends, `soak` does everything to one at once, `floods` looks at
//!   what memory they keep.
//!
//! What packets, keys, flows and bytes are is documented at [`packet`] and [`replay`].

#![forbid(unsafe_code)]

pub mod args;
pub mod backend;
#[cfg(feature = "bench")]
pub mod bench;
pub mod capture;
mod clock;
#[cfg(feature = "bench")]
mod count;
pub mod export;
#[cfg(feature = "bench")]
pub mod floods;
pub mod idle;
mod json;
pub mod packet;
mod progress;
pub mod read;
pub mod record;
pub mod replay;
mod report;
pub mod run;
#[cfg(feature = "bench")]
pub mod soak;
pub mod summary;
