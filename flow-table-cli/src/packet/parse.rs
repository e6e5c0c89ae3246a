use super::cursor::Cursor;
use super::ip::{IpPacket, IpVersion, Skip};
use super::link_type::LinkType;
use super::{link, network};

impl IpPacket {
    /// Reads `frame`, the captured bytes of a packet that was `wire_len` bytes long.
    ///
    /// # Errors
    ///
    /// Returns the reason if the frame is not an IP packet. Does not panic on any bytes.
    pub fn parse(link: LinkType, frame: &[u8], wire_len: u32) -> Result<Self, Skip> {
        let mut cursor = Cursor::new(frame);
        match link::strip(link, &mut cursor)? {
            IpVersion::V4 => network::v4(cursor, wire_len),
            IpVersion::V6 => network::v6(cursor, wire_len),
        }
    }
}
