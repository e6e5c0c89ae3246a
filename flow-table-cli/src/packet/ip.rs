use std::fmt;

use flow_table::FlowKey;

use super::class::Class;
use super::link_type::LinkType;

/// What a flow table needs to know about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPacket {
    /// The addresses, protocol and ports of the packet.
    pub key: FlowKey,
    /// What kind of packet it is.
    pub class: Class,
    /// The length of the packet, from its IP header. If that says zero (segmentation offload), from the frame.
    pub ip_bytes: u64,
    /// The time to live, or the hop limit.
    pub ttl: u8,
    /// The flags of a TCP header, as in [`tcp`](super::tcp); zero for other packets.
    pub tcp_flags: u8,
    /// Whether it is a fragment.
    pub fragment: Fragment,
}

/// Whether a packet is a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// It is whole.
    Whole,
    /// The first fragment of the packet with this identification.
    First(u32),
    /// A later one.
    Later(u32),
}

impl Fragment {
    pub(super) const fn new(offset: u16, more: bool, identification: u32) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First(identification),
            _ => Self::Later(identification),
        }
    }
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
    /// The link type is unknown.
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
pub(super) enum IpVersion {
    V4,
    V6,
}
