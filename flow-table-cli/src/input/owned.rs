use crate::packet::LinkType;
use crate::read::Packet;

/// A packet that owns its bytes.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    link: LinkType,
    pub(super) timestamp: i128,
    data: Vec<u8>,
    wire_len: u32,
}

impl Owned {
    pub(super) fn of(packet: &Packet<'_>) -> Self {
        Self {
            link: packet.link,
            timestamp: packet.timestamp,
            data: packet.data.to_vec(),
            wire_len: packet.wire_len,
        }
    }

    pub(super) fn packet(&self) -> Packet<'_> {
        Packet { link: self.link, timestamp: self.timestamp, data: &self.data, wire_len: self.wire_len }
    }

    /// The memory it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.data.capacity()
    }
}
