//! IP headers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use etherparse::{Ipv4HeaderSlice, Ipv6Header, Ipv6HeaderSlice};
use flow_table::FlowKey;

use super::cursor::Cursor;
use super::extensions::{self, Payload};
use super::ip::{Fragment, IpPacket, IpVersion, Skip};
use super::transport::Transport;

/// Returns the packet and the captured bytes after its header that are within its length.
pub(super) fn v4(cursor: Cursor<'_>, wire_len: u32) -> Result<(IpPacket, &[u8]), Skip> {
    let packet = cursor.rest();
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| Skip::MalformedIp)?;
    let header_len = header.slice().len();
    let length = match usize::from(header.total_len()) {
        0 => on_wire(cursor, wire_len).max(header_len),
        length if length < header_len => return Err(Skip::MalformedIp),
        length => length,
    };
    let protocol = header.protocol().0;
    let payload = &packet[header_len..length.min(packet.len())];
    let offset = header.fragments_offset().value();
    let transport =
        if offset > 0 { Transport::LATER_FRAGMENT } else { Transport::parse(IpVersion::V4, protocol, payload) };
    let (source, destination) = (Ipv4Addr::from(header.source()), Ipv4Addr::from(header.destination()));
    let source = SocketAddrV4::new(source, transport.source_port);
    let destination = SocketAddrV4::new(destination, transport.destination_port);
    let packet = IpPacket {
        key: FlowKey::v4(source, destination, protocol),
        class: transport.class,
        ip_bytes: length as u64,
        ttl: header.ttl(),
        tcp_flags: transport.tcp_flags,
        fragment: Fragment::new(offset, header.more_fragments(), header.identification().into()),
    };
    Ok((packet, payload))
}

/// Returns the packet and the captured bytes after its headers that are within its length.
pub(super) fn v6(cursor: Cursor<'_>, wire_len: u32) -> Result<(IpPacket, &[u8]), Skip> {
    let packet = cursor.rest();
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(|_| Skip::MalformedIp)?;
    let length = match usize::from(header.payload_length()) {
        0 => on_wire(cursor, wire_len).max(Ipv6Header::LEN),
        payload => Ipv6Header::LEN + payload,
    };
    let end = length.min(packet.len());
    let (protocol, payload, (offset, more, identification)) =
        extensions::skip(header.next_header(), &packet[Ipv6Header::LEN..end]);
    let (transport, payload) = match payload {
        Payload::Upper(bytes) => (Transport::parse(IpVersion::V6, protocol.0, bytes), bytes),
        Payload::LaterFragment => (Transport::LATER_FRAGMENT, Default::default()),
        Payload::CutOff => (Transport::SHORT, Default::default()),
    };
    let (source, destination) = (Ipv6Addr::from(header.source()), Ipv6Addr::from(header.destination()));
    let source = SocketAddrV6::new(source, transport.source_port, 0, 0);
    let destination = SocketAddrV6::new(destination, transport.destination_port, 0, 0);
    let packet = IpPacket {
        key: FlowKey::v6(source, destination, protocol.0),
        class: transport.class,
        ip_bytes: length as u64,
        ttl: header.hop_limit(),
        tcp_flags: transport.tcp_flags,
        fragment: Fragment::new(offset, more, identification),
    };
    Ok((packet, payload))
}

/// The number of bytes after the headers below IP that the frame had on the wire.
fn on_wire(cursor: Cursor<'_>, wire_len: u32) -> usize {
    (wire_len as usize).saturating_sub(cursor.at)
}
