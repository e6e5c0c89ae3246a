//! From a frame to its flow key.
//!
//! The outermost IP header of a frame counts. Tags and labels below it are removed, tunnels above it are not
//! opened, checksums are not checked, and nothing is reassembled. `etherparse` reads the headers for which it
//! suits captures. Where it is stricter than a flow meter may be (a TCP header with a bad data offset still has
//! ports), or does not know the header, this crate has its own code.

mod class;
mod cursor;
mod extensions;
mod ip;
mod link;
mod link_type;
mod network;
mod parse;
#[cfg(test)]
mod tests;
mod transport;

pub use class::Class;
pub use ip::{IpPacket, Skip};
pub use link_type::LinkType;
