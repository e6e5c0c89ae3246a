//! Packets with the keys of their flows.

use flow_table::FlowKey;

/// A packet with the key of its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedPacket {
    /// The key of its flow.
    pub key: FlowKey,
    /// Its time in nanoseconds, on any clock.
    pub timestamp: i128,
    /// Its length, from its IP header.
    pub ip_bytes: u64,
    /// Its length on the wire.
    pub wire_bytes: u64,
}
