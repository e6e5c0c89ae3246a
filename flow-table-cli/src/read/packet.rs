use crate::packet::LinkType;

/// The largest number of captured bytes of a packet that capture tools write and libpcap reads.
pub const CAPTURED_LIMIT: u32 = 262_144;
/// The largest number of interfaces of a pcapng section. Each takes memory as long as the section lasts.
pub const INTERFACE_LIMIT: usize = 65_536;

/// A packet in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'c> {
    /// The kind of header with which the frame starts.
    pub link: LinkType,
    /// Nanoseconds since the epoch of the capture, normally 1970.
    pub timestamp: i128,
    /// The captured bytes of the frame.
    pub data: &'c [u8],
    /// The length of the frame on the wire, in bytes.
    pub wire_len: u32,
}
