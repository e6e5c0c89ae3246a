use crate::packet::LinkType;
use crate::read::Packet;

/// A packet that owns its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    link: LinkType,
    pub(crate) timestamp: i128,
    data: Vec<u8>,
    wire_len: u32,
}

impl Owned {
    pub(crate) fn of(packet: &Packet<'_>) -> Self {
        Self {
            link: packet.link,
            timestamp: packet.timestamp,
            data: packet.data.to_vec(),
            wire_len: packet.wire_len,
        }
    }

    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet { link: self.link, timestamp: self.timestamp, data: &self.data, wire_len: self.wire_len }
    }

    /// The memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.data.capacity()
    }
}
