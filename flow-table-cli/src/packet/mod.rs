//! From a frame to its flow key.
//!
//! The outermost IP header of a frame is what counts: tags and labels below it are removed, tunnels above it are not opened,
//! checksums are not looked at, nothing is reassembled. `etherparse` reads the headers that it reads as captures need
//! it; where it is stricter than a flow meter may be (a TCP header with a bad data offset still has ports) or does not
//! know the header, the code is our own.

mod cursor;
mod extensions;
mod link;
mod link_type;
mod network;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;

use flow_table::FlowKey;

pub use link_type::LinkType;
pub use transport::Class;

use cursor::Cursor;

/// What a flow table needs to know of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPacket {
    /// Addresses, protocol and ports as the packet has them.
    pub key: FlowKey,
    /// What kind of packet it is.
    pub class: Class,
    /// The length of the packet by its IP header; if that says zero (segmentation offload), by the frame.
    pub ip_bytes: u64,
}

/// Why a frame belongs to no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// The capture ends within the headers below IP.
    CutOff,
    /// The IP header is cut off or contradicts itself.
    MalformedIp,
    /// Nothing is known of this link type.
    UnsupportedLink(LinkType),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotIp => f.write_str("not IP"),
            Self::CutOff => f.write_str("cut off below IP"),
            Self::MalformedIp => f.write_str("malformed IP header"),
            Self::UnsupportedLink(link) => write!(f, "unsupported link type {}", link.number()),
        }
    }
}

/// The version of a network header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IpVersion {
    V4,
    V6,
}

impl IpPacket {
    /// Reads `frame`, the captured bytes of a packet that was `wire_len` bytes long.
    ///
    /// # Errors
    ///
    /// The reason if it is no IP packet. No bytes make it panic.
    pub fn parse(link: LinkType, frame: &[u8], wire_len: u32) -> Result<Self, Skip> {
        let mut cursor = Cursor::new(frame);
        match link::strip(link, &mut cursor)? {
            IpVersion::V4 => network::v4(cursor, wire_len),
            IpVersion::V6 => network::v6(cursor, wire_len),
        }
    }
}
