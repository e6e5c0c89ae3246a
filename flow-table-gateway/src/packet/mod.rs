//! Packets: their memory, what is read from them and how they are changed.

mod buffer;
mod checksum;
mod error_message;
mod layout;
mod malformed;
mod ports;
mod protocol;
mod rewrite;
mod tcp;

pub use buffer::{Offload, Packet};
pub(crate) use error_message::{AdminProhibited, translate_error};
pub(crate) use layout::{Body, Inner, Layout};
pub(crate) use malformed::Malformed;
pub(crate) use protocol::{ICMP, ICMPV6, TCP, UDP};
pub(crate) use rewrite::rewrite;
pub(crate) use tcp::Segment;
