use std::fmt;

use crate::packet::checksum;
use crate::side::Side;

/// What the system has left undone in a packet, as in the header `virtio_net_hdr` that a TUN device puts in front
/// of it. The gateway changes no length, so all fields stay valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// Flags: bit 0 says that the checksum is partial.
    pub flags: u8,
    /// The kind of segmentation; 0 means none.
    pub gso_type: u8,
    /// The length of all headers, in bytes.
    pub header_len: u16,
    /// The payload of each segment, in bytes.
    pub gso_size: u16,
    /// Where the partial checksum begins to count, in bytes from the IP header.
    pub checksum_start: u16,
    /// Where the checksum is, in bytes from `checksum_start`.
    pub checksum_offset: u16,
}

impl Offload {
    /// The length of the encoded form, in bytes.
    pub const LEN: usize = 10;

    /// Reads the encoded form, in the machine's byte order.
    pub fn decode(bytes: [u8; Self::LEN]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            gso_type: bytes[1],
            header_len: word(2),
            gso_size: word(4),
            checksum_start: word(6),
            checksum_offset: word(8),
        }
    }

    /// The encoded form.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        (bytes[0], bytes[1]) = (self.flags, self.gso_type);
        let words = [self.header_len, self.gso_size, self.checksum_start, self.checksum_offset];
        for (chunk, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Returns `true` if the transport checksum holds only the sum of the pseudo header, not complemented.
    pub const fn is_partial(&self) -> bool {
        self.flags & 1 != 0
    }
}

/// A packet, and the memory for it. Workers use the same packets for every burst.
#[derive(Clone)]
pub struct Packet {
    buffer: Box<[u8]>,
    len: usize,
    /// The side on which it arrived.
    pub from: Side,
    /// The side on which it leaves. `None` means that it is dropped.
    pub to: Option<Side>,
    /// What the system has left undone.
    pub offload: Offload,
}

impl Packet {
    /// The length of the longest packet, in bytes.
    pub const MAX_LEN: usize = 65_535;
    /// The free bytes in front of every packet, for what a device puts there.
    pub const HEADROOM: usize = 16;

    /// An empty packet.
    pub fn new() -> Self {
        let buffer = vec![0; Self::HEADROOM + Self::MAX_LEN].into();
        Self { buffer, len: 0, from: Side::Inside, to: None, offload: Offload::default() }
    }

    /// A packet with these bytes from `from`. Bytes beyond [`MAX_LEN`](Self::MAX_LEN) are left out.
    pub fn from_bytes(from: Side, bytes: &[u8]) -> Self {
        let mut packet = Self::new();
        packet.fill(from, bytes);
        packet
    }

    /// Makes the packet one with these bytes from `from`, as [`from_bytes`](Self::from_bytes) does.
    pub fn fill(&mut self, from: Side, bytes: &[u8]) {
        self.set_len(bytes.len());
        let len = self.len;
        self.data_mut().copy_from_slice(&bytes[..len]);
        (self.from, self.to, self.offload) = (from, None, Offload::default());
    }

    /// The packet's bytes, from its IP header on.
    pub fn data(&self) -> &[u8] {
        &self.buffer[Self::HEADROOM..Self::HEADROOM + self.len]
    }

    /// The packet's bytes.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[Self::HEADROOM..Self::HEADROOM + self.len]
    }

    /// All memory with `front` bytes in front of the packet's place, for a device to read into.
    ///
    /// # Panics
    ///
    /// If `front` is more than [`HEADROOM`](Self::HEADROOM).
    pub fn space_mut(&mut self, front: usize) -> &mut [u8] {
        &mut self.buffer[Self::HEADROOM - front..]
    }

    /// The packet with `front` bytes in front of it, for a device to write.
    ///
    /// # Panics
    ///
    /// If `front` is more than [`HEADROOM`](Self::HEADROOM).
    pub fn with_front_mut(&mut self, front: usize) -> &mut [u8] {
        &mut self.buffer[Self::HEADROOM - front..Self::HEADROOM + self.len]
    }

    /// Sets the length in bytes, at most [`MAX_LEN`](Self::MAX_LEN).
    pub fn set_len(&mut self, len: usize) {
        self.len = len.min(Self::MAX_LEN);
    }

    /// Computes a checksum that the system has left undone.
    pub(crate) fn complete_checksum(&mut self) {
        if !self.offload.is_partial() {
            return;
        }
        let start = usize::from(self.offload.checksum_start);
        let at = start + usize::from(self.offload.checksum_offset);
        if at + 2 <= self.len {
            let data = self.data_mut();
            let sum = checksum::of(&data[start..]);
            data[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        self.offload = Offload::default();
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("len", &self.len)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("offload", &self.offload)
            .finish_non_exhaustive()
    }
}
