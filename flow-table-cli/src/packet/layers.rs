use super::cursor::Cursor;
use super::ip::{IpPacket, IpVersion, Skip};
use super::link_type::LinkType;
use super::tags::Tags;
use super::tunnel::{self, Tunnel};
use super::{link, network};

/// A frame with all that flows can be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers<'f> {
    /// The IP packet: the outermost one, or one in a tunnel.
    pub packet: IpPacket,
    /// Tags and labels directly below it.
    pub tags: Tags,
    /// The innermost tunnel around it.
    pub tunnel: Option<Tunnel>,
    /// The captured bytes after its IP headers that are within its length.
    payload: &'f [u8],
}

impl<'f> Layers<'f> {
    /// Reads `frame`, the captured bytes of a packet that was `wire_len` bytes long, and opens at most `depth`
    /// tunnels within one another. A tunnel whose inside cannot be read stays closed.
    ///
    /// # Errors
    ///
    /// Returns the reason if the frame is not an IP packet. Does not panic on any bytes.
    ///
    /// # Complexity
    ///
    /// Linear in the length of the headers read.
    pub fn parse(link: LinkType, frame: &'f [u8], wire_len: u32, depth: u8) -> Result<Self, Skip> {
        let mut layers = Self::outermost(link, frame, wire_len)?;
        for _ in 0..depth {
            let Some((tunnel, link, inner)) = tunnel::open(&layers.packet, layers.payload) else { break };
            let wire_len = u32::try_from(inner.len()).unwrap_or(u32::MAX);
            let Ok(inside) = Self::outermost(link, inner, wire_len) else { break };
            layers = Self { tunnel: Some(tunnel), ..inside };
        }
        Ok(layers)
    }

    fn outermost(link: LinkType, frame: &'f [u8], wire_len: u32) -> Result<Self, Skip> {
        let mut cursor = Cursor::new(frame);
        let mut tags = Tags::default();
        let (packet, payload) = match link::strip(link, &mut cursor, &mut tags)? {
            IpVersion::V4 => network::v4(cursor, wire_len)?,
            IpVersion::V6 => network::v6(cursor, wire_len)?,
        };
        Ok(Self { packet, tags, tunnel: None, payload })
    }
}

impl IpPacket {
    /// Reads the outermost packet of `frame`, the captured bytes of a packet that was `wire_len` bytes long.
    ///
    /// # Errors
    ///
    /// Returns the reason if the frame is not an IP packet. Does not panic on any bytes.
    pub fn parse(link: LinkType, frame: &[u8], wire_len: u32) -> Result<Self, Skip> {
        Layers::parse(link, frame, wire_len, 0).map(|layers| layers.packet)
    }
}
