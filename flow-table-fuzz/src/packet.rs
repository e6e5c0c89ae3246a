//! A frame, by each link type.

use flow_table_api::FlowKey;
use flow_table_cli::packet::{Class, IpPacket, Layers, LinkType, Skip};

use crate::text;

/// The link type with this index: a known one, or an unknown one.
fn link(index: u8) -> LinkType {
    let known = LinkType::KNOWN;
    known.get(usize::from(index) % (known.len() + 1)).copied().unwrap_or(LinkType::new(147))
}

/// The bytes from which [`check`] gets this frame.
pub fn encode(link: LinkType, wire_len: u32, frame: &[u8]) -> Vec<u8> {
    let index = LinkType::KNOWN.iter().position(|known| *known == link).unwrap_or(LinkType::KNOWN.len());
    let index = u8::try_from(index).expect("there are few link types");
    [&[index][..], &wire_len.to_le_bytes(), frame].concat()
}

/// Parses the frame behind one byte for the link type and four for the length on the wire.
pub fn check(bytes: &[u8]) {
    if let [index, a, b, c, d, frame @ ..] = bytes {
        check_frame(link(*index), frame, u32::from_le_bytes([*a, *b, *c, *d]));
    }
}

/// Parses a frame, whole and cut, and looks for the packet where it must stand.
pub(crate) fn check_frame(link: LinkType, frame: &[u8], wire_len: u32) {
    let whole = IpPacket::parse(link, frame, wire_len);
    if let Ok(packet) = &whole {
        check_packet(packet, wire_len);
        assert!(
            (0..frame.len()).any(|at| stands_at(packet, frame, at, wire_len)),
            "{packet:?} stands nowhere in {frame:02x?}"
        );
    }
    check_tunnels(link, frame, wire_len);
    for cut in [frame.len() / 2, frame.len().saturating_sub(1)] {
        match IpPacket::parse(link, &frame[..cut], wire_len) {
            Ok(part) if part.class == Class::Short => {
                let ends = |packet: &IpPacket| (packet.key.source().ip(), packet.key.destination().ip());
                assert_eq!(whole.as_ref().map(ends), Ok(ends(&part)), "cut at {cut}: {frame:02x?}");
            }
            Ok(part) => assert_eq!(whole, Ok(part), "cut at {cut}: {frame:02x?}"),
            Err(Skip::UnsupportedLink(_)) => assert_eq!(whole, Err(Skip::UnsupportedLink(link))),
            Err(_) => {}
        }
    }
}

/// Opens tunnels. The first one that stays closed ends it, and a tunnel's ends are those of the packet around it.
fn check_tunnels(link: LinkType, frame: &[u8], wire_len: u32) {
    let mut outer = Layers::parse(link, frame, wire_len, 0);
    assert!(outer.is_err() || outer.is_ok_and(|layers| layers.tunnel.is_none()));
    for depth in 1..=4 {
        let inner = Layers::parse(link, frame, wire_len, depth);
        match (&outer, &inner) {
            (Err(outer), Err(inner)) => assert_eq!(outer, inner),
            (Ok(outer), Ok(inner)) if outer != inner => {
                let tunnel = inner.tunnel.expect("another packet is inside something");
                let key = outer.packet.key;
                assert_eq!((tunnel.source, tunnel.destination), (key.source().ip(), key.destination().ip()));
                check_packet(&inner.packet, u32::try_from(frame.len()).unwrap_or(u32::MAX));
            }
            (Ok(_), Ok(_)) => return,
            _ => panic!("{outer:?} and {inner:?}"),
        }
        outer = inner;
    }
}

fn check_packet(packet: &IpPacket, wire_len: u32) {
    let IpPacket { key, class, ip_bytes, .. } = *packet;
    // The longest packet that a header can state, or that the frame can hold.
    assert!((20..=65_575.max(wire_len.into())).contains(&ip_bytes), "{packet:?}");
    let ports = (key.source().port(), key.destination().port());
    let right = match (class, key.protocol()) {
        (Class::Tcp, 6) | (Class::Udp, 17) | (Class::Sctp, 132) => true,
        (Class::IcmpEcho, 1 | 58) => ports.0 == ports.1,
        (Class::Other, 33 | 136) => true,
        (Class::Other, 6 | 17 | 132) => false,
        (Class::IcmpOther, 1 | 58) | (Class::Other | Class::LaterFragment | Class::Short, _) => ports == (0, 0),
        _ => false,
    };
    assert!(right, "{packet:?}");
    text::check_key(key);
}

/// Returns `true` if the headers at `at` are those of this packet, by the offsets of the format.
fn stands_at(packet: &IpPacket, frame: &[u8], at: usize, wire_len: u32) -> bool {
    let header = &frame[at..];
    let (link, version, source) =
        if packet.key.source().is_ipv4() { (LinkType::IPV4, 4, 12..16) } else { (LinkType::IPV6, 6, 8..24) };
    let destination = source.end..2 * source.end - source.start;
    header.first().is_some_and(|first| first >> 4 == version)
        && header.get(source) == Some(&octets(&packet.key))
        && header.get(destination) == Some(&octets(&packet.key.reversed()))
        && IpPacket::parse(link, header, wire_len.saturating_sub(at as u32)).as_ref() == Ok(packet)
}

/// The octets of the source address.
fn octets(key: &FlowKey) -> Box<[u8]> {
    match key.source().ip() {
        std::net::IpAddr::V4(address) => address.octets().into(),
        std::net::IpAddr::V6(address) => address.octets().into(),
    }
}
