//! What happens to a packet.
//!
//! A worker takes a burst of packets, looks all their keys up at once, and borrows the flows. A packet that
//! belongs to a flow leaves with the ends of the flow's other key. A packet that belongs to none begins one, if it
//! may: the hash that the look-up computed goes along to the insertion. One reading of the clock serves the whole
//! burst.
//!
//! ```text
//!                 inside                                            outside
//!  packet   10.0.0.2:4000 > 192.0.2.1:80      ──►     203.0.113.1:61000 > 192.0.2.1:80
//!           = forward key                             = reply key, reversed
//!  reply    192.0.2.1:80 > 10.0.0.2:4000      ◄──     192.0.2.1:80 > 203.0.113.1:61000
//!           = forward key, reversed                   = reply key
//! ```
//!
//! So the two keys of a flow *are* its translation, and its value need not hold one. The side is part of a key.

mod admit;
mod burst;
mod error;
mod fragments;
mod gateway;
mod plan;
mod rate;

pub use burst::Worker;
pub(crate) use gateway::table_config;
pub use gateway::{Gateway, Usage};
