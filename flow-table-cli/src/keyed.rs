//! Packets with the keys of their flows.

use std::sync::Arc;

use flow_table::FlowKey;

use crate::packet::Tunnel;

/// A packet with the key of its flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedPacket {
    /// The key of its flow.
    pub key: FlowKey,
    /// Whether the packet goes from the destination of the key to its source.
    pub reversed: bool,
    /// Its time in nanoseconds, on any clock.
    pub timestamp: i128,
    /// Its length, from its IP header.
    pub ip_bytes: u64,
    /// Its length on the wire.
    pub wire_bytes: u64,
    /// The flags of its TCP header, or zero.
    pub tcp_flags: u8,
    /// Its time to live, or hop limit.
    pub ttl: u8,
    /// The tunnel that it was in, if tunnels are opened.
    pub tunnel: Option<Arc<Tunnel>>,
}
