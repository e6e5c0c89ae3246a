//! From a frame to its flow key.
//!
//! The outermost IP header of a frame counts, unless tunnels are opened. Tags and labels below it are removed,
//! checksums are not checked, and nothing is reassembled. `etherparse` reads the headers for which it suits
//! captures. Where it is stricter than a flow meter may be (a TCP header with a bad data offset still has ports),
//! or does not know the header, this crate has its own code.

mod class;
mod cursor;
mod extensions;
mod ip;
mod layers;
mod link;
mod link_type;
mod network;
mod tags;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;

pub use class::Class;
pub use ip::{Fragment, IpPacket, Skip};
pub use layers::Layers;
pub use link_type::LinkType;
pub use tags::Tags;
pub use transport::tcp;
pub use tunnel::{Tunnel, TunnelKind};
