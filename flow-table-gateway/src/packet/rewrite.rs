use std::net::{IpAddr, SocketAddr};

use crate::packet::buffer::Packet;
use crate::packet::checksum::Change;
use crate::packet::layout::{Body, Layout};
use crate::packet::protocol::{ICMP, ICMPV6, TCP, UDP, checksum_offset};

/// Where source and destination are in an IP header, and whether the header has a checksum.
fn addresses(data: &[u8]) -> (usize, usize) {
    if data[0] >> 4 == 4 { (12, 4) } else { (8, 16) }
}

/// Writes the addresses of the IP header in `data`, and its checksum. Returns the change for the checksums that
/// cover the addresses.
pub(crate) fn rewrite_addresses(data: &mut [u8], source: IpAddr, destination: IpAddr) -> Change {
    let (at, width) = addresses(data);
    let mut change = Change::default();
    for (at, new) in [(at, source), (at + width, destination)] {
        let field = &mut data[at..at + width];
        match new {
            IpAddr::V4(new) => put(field, &new.octets(), &mut change),
            IpAddr::V6(new) => put(field, &new.octets(), &mut change),
        }
    }
    if width == 4 {
        change.apply(&mut data[10..12]);
    }
    change
}

fn put<const N: usize>(field: &mut [u8], new: &[u8; N], change: &mut Change) {
    if let Ok(field) = <&mut [u8; N]>::try_from(field) {
        for (old, new) in field.chunks_exact(2).zip(new.chunks_exact(2)) {
            change.word(u16::from_be_bytes([old[0], old[1]]), u16::from_be_bytes([new[0], new[1]]));
        }
        *field = *new;
    }
}

/// Writes what identifies a session behind the addresses: ports, or the identifier of an echo. Returns the change.
pub(crate) fn rewrite_ports(protocol: u8, transport: &mut [u8], source: u16, destination: u16) -> Change {
    let mut change = Change::default();
    let mut put = |at: usize, new: u16| {
        if let Some(field) = transport.get_mut(at..at + 2) {
            change.word(u16::from_be_bytes([field[0], field[1]]), new);
            field.copy_from_slice(&new.to_be_bytes());
        }
    };
    match protocol {
        TCP | UDP => {
            put(0, source);
            put(2, destination);
        }
        // One of the two is zero: see `ports::read`.
        ICMP | ICMPV6 => put(4, source | destination),
        _ => {}
    }
    change
}

/// Gives a packet new ends. All checksums that were valid stay valid.
pub(crate) fn rewrite(packet: &mut Packet, layout: &Layout, source: SocketAddr, destination: SocketAddr) {
    let is_partial = packet.offload.is_partial();
    let data = packet.data_mut();
    let addresses = rewrite_addresses(data, source.ip(), destination.ip());
    if layout.body == Body::LaterFragment {
        return;
    }
    let transport = &mut data[layout.transport..layout.len];
    let ports = rewrite_ports(layout.protocol, transport, source.port(), destination.port());
    update_checksum(layout.protocol, transport, addresses, ports, is_partial);
}

/// Updates the checksum of a transport header, if it is there.
pub(crate) fn update_checksum(
    protocol: u8,
    transport: &mut [u8],
    addresses: Change,
    ports: Change,
    partial: bool,
) {
    let at = if protocol == ICMP { Some(2) } else { checksum_offset(protocol) };
    let Some(field) = at.and_then(|at| transport.get_mut(at..at + 2)) else { return };
    if partial {
        // The ports are not in the sum yet.
        return addresses.apply_partial(field);
    }
    if protocol == UDP && field == [0, 0] {
        return; // RFC 768: there is none.
    }
    if protocol != ICMP {
        addresses.apply(field);
    }
    ports.apply(field);
    if protocol == UDP && field == [0, 0] {
        field.copy_from_slice(&[0xff, 0xff]);
    }
}
