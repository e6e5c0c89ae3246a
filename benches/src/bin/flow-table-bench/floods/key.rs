use std::net::{Ipv4Addr, SocketAddrV4};

use flow_table::FlowKey;

/// Another key for each number: addresses first, then ports.
pub(super) const fn key(number: u64) -> FlowKey {
    let source = SocketAddrV4::new(Ipv4Addr::from_bits(number as u32), (number >> 32) as u16);
    FlowKey::v4(source, SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 443), 6)
}
