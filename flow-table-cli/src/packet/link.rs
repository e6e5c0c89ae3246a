//! The headers below IP.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::cursor::Cursor;
use super::ip::{IpVersion, Skip};
use super::link_type::LinkType;
use super::tags::Tags;

/// Ether types that `etherparse` has no name for.
const QINQ_9200: EtherType = EtherType(0x9200);
const MPLS_UNICAST: EtherType = EtherType(0x8847);
const MPLS_MULTICAST: EtherType = EtherType(0x8848);
const PPPOE_SESSION: EtherType = EtherType(0x8864);
/// Below this the field is the length of an IEEE 802.3 frame.
const FIRST_ETHER_TYPE: u16 = 0x600;

const PPP_IPV4: u16 = 0x21;
const PPP_IPV6: u16 = 0x57;

/// Moves `cursor` to the network header, and notes tags and labels.
pub(super) fn strip(link: LinkType, cursor: &mut Cursor<'_>, tags: &mut Tags) -> Result<IpVersion, Skip> {
    match link {
        LinkType::ETHERNET => {
            let header = Ethernet2HeaderSlice::from_slice(cursor.rest()).map_err(|_| Skip::CutOff)?;
            cursor.at += header.slice().len();
            ether_type(header.ether_type(), cursor, tags)
        }
        LinkType::LINUX_SLL => {
            let header = cursor.take::<16>()?;
            cooked([header[14], header[15]], cursor, tags)
        }
        LinkType::LINUX_SLL2 => {
            let header = cursor.take::<20>()?;
            cooked([header[0], header[1]], cursor, tags)
        }
        LinkType::C_HDLC => {
            let [_, _, protocol @ ..] = *cursor.take::<4>()?;
            ether_type(EtherType(u16::from_be_bytes(protocol)), cursor, tags)
        }
        LinkType::NULL | LinkType::LOOP => address_family(cursor),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => version_nibble(cursor),
        LinkType::IPV4 => Ok(IpVersion::V4),
        LinkType::IPV6 => Ok(IpVersion::V6),
        LinkType::PPP | LinkType::PPP_SERIAL => ppp(cursor),
        LinkType::PPP_ETHER => {
            cursor.take::<6>()?;
            ppp_protocol(cursor)
        }
        other => Err(Skip::UnsupportedLink(other)),
    }
}

/// The protocol field of cooked captures holds an ether type, or a number of Linux's own.
fn cooked(protocol: [u8; 2], cursor: &mut Cursor<'_>, tags: &mut Tags) -> Result<IpVersion, Skip> {
    match u16::from_be_bytes(protocol) {
        ..FIRST_ETHER_TYPE => Err(Skip::NotIp),
        number => ether_type(EtherType(number), cursor, tags),
    }
}

fn ether_type(mut kind: EtherType, cursor: &mut Cursor<'_>, tags: &mut Tags) -> Result<IpVersion, Skip> {
    let mut depth = 0;
    while let EtherType::VLAN_TAGGED_FRAME
    | EtherType::PROVIDER_BRIDGING
    | EtherType::VLAN_DOUBLE_TAGGED_FRAME
    | QINQ_9200 = kind
    {
        let tag = SingleVlanHeaderSlice::from_slice(cursor.rest()).map_err(|_| Skip::CutOff)?;
        cursor.at += tag.slice().len();
        kind = tag.ether_type();
        if depth < tags.vlans.len() {
            tags.vlans[depth] = tag.vlan_identifier().value();
            depth += 1;
        }
    }
    if kind.0 < FIRST_ETHER_TYPE {
        kind = snap(cursor)?;
    }
    match kind {
        MPLS_UNICAST | MPLS_MULTICAST => mpls(cursor, tags),
        PPPOE_SESSION => {
            let [.., high, low] = *cursor.peek::<8>()?;
            cursor.at += 6;
            ppp_number([high, low], cursor)
        }
        other => plain(other),
    }
}

fn plain(kind: EtherType) -> Result<IpVersion, Skip> {
    match kind {
        EtherType::IPV4 => Ok(IpVersion::V4),
        EtherType::IPV6 => Ok(IpVersion::V6),
        _ => Err(Skip::NotIp),
    }
}

/// LLC with a SNAP header of organization zero, whose protocol is an ether type.
fn snap(cursor: &mut Cursor<'_>) -> Result<EtherType, Skip> {
    match *cursor.rest() {
        [0xaa, 0xaa, 0x03, 0, 0, 0, high, low, ..] => {
            cursor.at += 8;
            Ok(EtherType(u16::from_be_bytes([high, low])))
        }
        _ => Err(Skip::NotIp),
    }
}

/// Skips labels up to the bottom of the stack. Only the first four bits of what follows say what it is.
fn mpls(cursor: &mut Cursor<'_>, tags: &mut Tags) -> Result<IpVersion, Skip> {
    let [a, b, c, _] = *cursor.peek::<4>()?;
    tags.mpls = Some(u32::from_be_bytes([0, a, b, c]) >> 4);
    while cursor.take::<4>()?[2] & 1 == 0 {}
    version_nibble(cursor)
}

fn version_nibble(cursor: &Cursor<'_>) -> Result<IpVersion, Skip> {
    match cursor.peek::<1>()?[0] >> 4 {
        4 => Ok(IpVersion::V4),
        6 => Ok(IpVersion::V6),
        _ => Err(Skip::NotIp),
    }
}

/// The family is in the byte order of the capturing machine. The number for IPv6 differs between systems.
fn address_family(cursor: &mut Cursor<'_>) -> Result<IpVersion, Skip> {
    let bytes = *cursor.take::<4>()?;
    let either = [u32::from_le_bytes(bytes), u32::from_be_bytes(bytes)];
    if either.contains(&2) {
        Ok(IpVersion::V4)
    } else if either.iter().any(|family| matches!(family, 10 | 24 | 28 | 30)) {
        Ok(IpVersion::V6)
    } else {
        Err(Skip::NotIp)
    }
}

fn ppp(cursor: &mut Cursor<'_>) -> Result<IpVersion, Skip> {
    match *cursor.rest() {
        // Cisco HDLC, unicast or multicast, under a link type of PPP.
        [0x0f | 0x8f, _, high, low, ..] => {
            cursor.at += 4;
            plain(EtherType(u16::from_be_bytes([high, low])))
        }
        [0xff, 0x03, ..] => {
            cursor.at += 2;
            ppp_protocol(cursor)
        }
        _ => ppp_protocol(cursor),
    }
}

fn ppp_protocol(cursor: &mut Cursor<'_>) -> Result<IpVersion, Skip> {
    let bytes = *cursor.peek::<2>()?;
    ppp_number(bytes, cursor)
}

/// The number has one byte if that is odd, else two.
fn ppp_number([first, second]: [u8; 2], cursor: &mut Cursor<'_>) -> Result<IpVersion, Skip> {
    let number = if first & 1 == 1 {
        cursor.at += 1;
        u16::from(first)
    } else {
        cursor.at += 2;
        u16::from_be_bytes([first, second])
    };
    match number {
        PPP_IPV4 => Ok(IpVersion::V4),
        PPP_IPV6 => Ok(IpVersion::V6),
        _ => Err(Skip::NotIp),
    }
}
