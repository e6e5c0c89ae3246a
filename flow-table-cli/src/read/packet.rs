use crate::packet::LinkType;

/// The most bytes captured of a packet: what capture tools write, and libpcap reads.
pub const CAPTURED_LIMIT: u32 = 262_144;
/// The most interfaces of a pcapng section: each takes memory for as long as the section lasts.
pub const INTERFACE_LIMIT: usize = 65_536;

/// A packet as it stands in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'c> {
    /// What the frame starts with.
    pub link: LinkType,
    /// Nanoseconds since the epoch of the capture, normally 1970.
    pub timestamp: i128,
    /// The captured bytes of the frame.
    pub data: &'c [u8],
    /// The length of the frame on the wire, in bytes.
    pub wire_len: u32,
}
