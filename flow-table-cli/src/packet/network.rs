//! IP headers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use etherparse::{Ipv4HeaderSlice, Ipv6Header, Ipv6HeaderSlice};
use flow_table::FlowKey;

use super::cursor::Cursor;
use super::extensions::{self, Payload};
use super::ip::{IpPacket, IpVersion, Skip};
use super::transport::Transport;

pub(super) fn v4(cursor: Cursor<'_>, wire_len: u32) -> Result<IpPacket, Skip> {
    let packet = cursor.rest();
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| Skip::MalformedIp)?;
    let header_len = header.slice().len();
    let length = match usize::from(header.total_len()) {
        0 => on_wire(cursor, wire_len).max(header_len),
        length if length < header_len => return Err(Skip::MalformedIp),
        length => length,
    };
    let protocol = header.protocol().0;
    let transport = if header.fragments_offset().value() > 0 {
        Transport::LATER_FRAGMENT
    } else {
        let end = length.min(packet.len());
        Transport::parse(IpVersion::V4, protocol, &packet[header_len..end])
    };
    let (source, destination) = (Ipv4Addr::from(header.source()), Ipv4Addr::from(header.destination()));
    let source = SocketAddrV4::new(source, transport.source_port);
    let destination = SocketAddrV4::new(destination, transport.destination_port);
    let key = FlowKey::v4(source, destination, protocol);
    Ok(IpPacket { key, class: transport.class, ip_bytes: length as u64 })
}

pub(super) fn v6(cursor: Cursor<'_>, wire_len: u32) -> Result<IpPacket, Skip> {
    let packet = cursor.rest();
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(|_| Skip::MalformedIp)?;
    let length = match usize::from(header.payload_length()) {
        0 => on_wire(cursor, wire_len).max(Ipv6Header::LEN),
        payload => Ipv6Header::LEN + payload,
    };
    let end = length.min(packet.len());
    let (protocol, payload) = extensions::skip(header.next_header(), &packet[Ipv6Header::LEN..end]);
    let transport = match payload {
        Payload::Upper(bytes) => Transport::parse(IpVersion::V6, protocol.0, bytes),
        Payload::LaterFragment => Transport::LATER_FRAGMENT,
        Payload::CutOff => Transport::SHORT,
    };
    let (source, destination) = (Ipv6Addr::from(header.source()), Ipv6Addr::from(header.destination()));
    let source = SocketAddrV6::new(source, transport.source_port, 0, 0);
    let destination = SocketAddrV6::new(destination, transport.destination_port, 0, 0);
    let key = FlowKey::v6(source, destination, protocol.0);
    Ok(IpPacket { key, class: transport.class, ip_bytes: length as u64 })
}

/// The number of bytes after the headers below IP that the frame had on the wire.
fn on_wire(cursor: Cursor<'_>, wire_len: u32) -> usize {
    (wire_len as usize).saturating_sub(cursor.at)
}
