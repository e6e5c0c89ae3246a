use crate::keyed::KeyedPacket;

/// The sums over packets, with the packets' own times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// The time of the first packet, in nanoseconds.
    pub first_ns: i128,
    /// The largest time of a packet.
    pub last_ns: i128,
    /// Packets.
    pub packets: u64,
    /// The sum of their lengths, from their IP headers.
    pub ip_bytes: u64,
    /// The sum of their lengths on the wire.
    pub wire_bytes: u64,
    /// All flags of their TCP headers.
    pub tcp_flags: u8,
    /// The smallest time to live, or hop limit.
    pub ttl_min: u8,
    /// The largest one.
    pub ttl_max: u8,
}

impl Tally {
    /// The sums of one packet.
    pub fn of(packet: &KeyedPacket) -> Self {
        Self {
            first_ns: packet.timestamp,
            last_ns: packet.timestamp,
            packets: 1,
            ip_bytes: packet.ip_bytes,
            wire_bytes: packet.wire_bytes,
            tcp_flags: packet.tcp_flags,
            ttl_min: packet.ttl,
            ttl_max: packet.ttl,
        }
    }

    /// Adds another packet.
    pub fn add(&mut self, packet: &KeyedPacket) {
        self.last_ns = self.last_ns.max(packet.timestamp);
        self.packets += 1;
        self.ip_bytes = self.ip_bytes.saturating_add(packet.ip_bytes);
        self.wire_bytes = self.wire_bytes.saturating_add(packet.wire_bytes);
        self.tcp_flags |= packet.tcp_flags;
        self.ttl_min = self.ttl_min.min(packet.ttl);
        self.ttl_max = self.ttl_max.max(packet.ttl);
    }

    /// The sums of both directions. The time of the first packet is that of `self`, which came first.
    pub(super) fn with(&self, other: &Self) -> Self {
        if other.packets == 0 {
            return *self;
        }
        Self {
            first_ns: self.first_ns,
            last_ns: self.last_ns.max(other.last_ns),
            packets: self.packets + other.packets,
            ip_bytes: self.ip_bytes.saturating_add(other.ip_bytes),
            wire_bytes: self.wire_bytes.saturating_add(other.wire_bytes),
            tcp_flags: self.tcp_flags | other.tcp_flags,
            ttl_min: self.ttl_min.min(other.ttl_min),
            ttl_max: self.ttl_max.max(other.ttl_max),
        }
    }
}
