//! Tunnels: what an IP packet carries that is a packet again.
//!
//! IP in IP (RFC 2003), IPv6 in IPv4 (RFC 4213) and the reverse (RFC 2473), GRE (RFC 2784, RFC 2890), VXLAN (RFC
//! 7348), Geneve (RFC 8926) and GTP-U (3GPP TS 29.281).

use std::fmt;
use std::net::IpAddr;

use etherparse::{IpNumber, ip_number};

use super::class::Class;
use super::ip::IpPacket;
use super::link_type::LinkType;

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelKind {
    /// IPv4 or IPv6 directly in IPv4 or IPv6.
    Ip,
    /// Generic routing encapsulation, version 0.
    Gre,
    /// VXLAN, on UDP port 4789.
    Vxlan,
    /// Geneve, on UDP port 6081.
    Geneve,
    /// The user plane of GTP, on UDP port 2152.
    GtpU,
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip => "ip",
            Self::Gre => "gre",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
        })
    }
}

/// The tunnel that a packet was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// Its kind.
    pub kind: TunnelKind,
    /// The VNI of VXLAN and Geneve, the key of GRE, or the TEID of GTP-U.
    pub id: Option<u32>,
    /// The source of the packet around it.
    pub source: IpAddr,
    /// The destination of the packet around it.
    pub destination: IpAddr,
}

const VXLAN_PORT: u16 = 4789;
const GENEVE_PORT: u16 = 6081;
const GTP_U_PORT: u16 = 2152;

const IPV4_TYPE: u16 = 0x0800;
const IPV6_TYPE: u16 = 0x86dd;
const ETHERNET_TYPE: u16 = 0x6558;

/// The kind and id of the tunnel that `payload`, the bytes after the IP headers of `packet`, is the inside of;
/// with the packet in it and the header it begins with.
pub(super) fn open<'f>(packet: &IpPacket, payload: &'f [u8]) -> Option<(Tunnel, LinkType, &'f [u8])> {
    let key = &packet.key;
    let (kind, id, link, inner) = match (IpNumber(key.protocol()), packet.class) {
        (_, Class::LaterFragment) => return None,
        (ip_number::IPV4, _) => (TunnelKind::Ip, None, LinkType::IPV4, payload),
        (ip_number::IPV6, _) => (TunnelKind::Ip, None, LinkType::IPV6, payload),
        (ip_number::GRE, _) => gre(payload)?,
        (_, Class::Udp) => {
            let data = payload.get(8..)?;
            match (key.destination().port(), key.source().port()) {
                (VXLAN_PORT, _) => vxlan(data)?,
                (GENEVE_PORT, _) => geneve(data)?,
                (GTP_U_PORT, _) | (_, GTP_U_PORT) => gtp_u(data)?,
                _ => return None,
            }
        }
        _ => return None,
    };
    let (source, destination) = (key.source().ip(), key.destination().ip());
    Some((Tunnel { kind, id, source, destination }, link, inner))
}

type Inside<'f> = (TunnelKind, Option<u32>, LinkType, &'f [u8]);

/// What an ether type says about the first header.
const fn link(ether_type: [u8; 2]) -> Option<LinkType> {
    match u16::from_be_bytes(ether_type) {
        IPV4_TYPE => Some(LinkType::IPV4),
        IPV6_TYPE => Some(LinkType::IPV6),
        ETHERNET_TYPE => Some(LinkType::ETHERNET),
        _ => None,
    }
}

fn gre(bytes: &[u8]) -> Option<Inside<'_>> {
    let [flags, version, high, low, ..] = *bytes else { return None };
    // Routing, and other versions, are not opened.
    if flags & 0x40 != 0 || version & 7 != 0 {
        return None;
    }
    let mut at = if flags & 0x80 != 0 { 8 } else { 4 };
    let mut id = None;
    if flags & 0x20 != 0 {
        id = Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        at += 4;
    }
    at += if flags & 0x10 != 0 { 4 } else { 0 };
    Some((TunnelKind::Gre, id, link([high, low])?, bytes.get(at..)?))
}

fn vxlan(bytes: &[u8]) -> Option<Inside<'_>> {
    let ([flags, _, _, _, a, b, c, _], inner) = bytes.split_first_chunk()?;
    (flags & 0x08 != 0).then_some(())?;
    let vni = u32::from_be_bytes([0, *a, *b, *c]);
    Some((TunnelKind::Vxlan, Some(vni), LinkType::ETHERNET, inner))
}

fn geneve(bytes: &[u8]) -> Option<Inside<'_>> {
    let ([first, _, high, low, a, b, c, _], rest) = bytes.split_first_chunk()?;
    (first >> 6 == 0).then_some(())?;
    let inner = rest.get(4 * usize::from(first & 0x3f)..)?;
    let vni = u32::from_be_bytes([0, *a, *b, *c]);
    Some((TunnelKind::Geneve, Some(vni), link([*high, *low])?, inner))
}

fn gtp_u(bytes: &[u8]) -> Option<Inside<'_>> {
    const USER_DATA: u8 = 0xff;
    let ([flags, kind, _, _, a, b, c, d], mut inner) = bytes.split_first_chunk()?;
    // Version 1, protocol type GTP.
    if flags & 0xf0 != 0x30 || *kind != USER_DATA {
        return None;
    }
    if flags & 0x07 != 0 {
        let (&[_, _, _, first], rest) = inner.split_first_chunk()?;
        let mut next = first;
        inner = rest;
        // Extension headers count their length in words, and end with the type of the next one.
        while next != 0 {
            let length = 4 * usize::from(*inner.first()?);
            let extension = inner.get(..length).filter(|extension| !extension.is_empty())?;
            next = *extension.last()?;
            inner = &inner[length..];
        }
    }
    let teid = u32::from_be_bytes([*a, *b, *c, *d]);
    Some((TunnelKind::GtpU, Some(teid), LinkType::RAW, inner))
}
