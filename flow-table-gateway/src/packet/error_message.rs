//! ICMP errors: those that pass, and those that the gateway sends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::packet::buffer::{Offload, Packet};
use crate::packet::checksum;
use crate::packet::layout::{Inner, Layout};
use crate::packet::protocol::ICMP;
use crate::packet::rewrite::{rewrite_addresses, rewrite_ports, update_checksum};

/// An ICMP error whose checksum is wrong (RFC 5508, REQ-3).
#[derive(Debug)]
pub(crate) struct Untranslatable;

/// Translates an ICMP error together with the packet that it quotes (RFC 5508, REQ-4). `ends` are source and
/// destination of the error, `inner_ends` those of the quoted packet.
pub(crate) fn translate_error(
    packet: &mut Packet,
    layout: &Layout,
    inner: &Inner,
    ends: (IpAddr, IpAddr),
    inner_ends: (SocketAddr, SocketAddr),
) -> Result<(), Untranslatable> {
    packet.complete_checksum();
    packet.set_len(layout.len);
    let data = packet.data_mut();
    if message_checksum(data, layout) != 0 {
        return Err(Untranslatable);
    }
    let (source, destination) = inner_ends;
    let addresses = rewrite_addresses(&mut data[inner.start..], source.ip(), destination.ip());
    let transport = &mut data[inner.transport..];
    let ports = rewrite_ports(inner.protocol, transport, source.port(), destination.port());
    update_checksum(inner.protocol, transport, addresses, ports, false);

    rewrite_addresses(data, ends.0, ends.1);
    data[layout.transport + 2..layout.transport + 4].fill(0);
    let sum = message_checksum(data, layout).to_be_bytes();
    data[layout.transport + 2..layout.transport + 4].copy_from_slice(&sum);
    Ok(())
}

/// The checksum of an ICMP message, which is zero if the one within is right.
fn message_checksum(data: &[u8], layout: &Layout) -> u16 {
    let message = &data[layout.transport..];
    if layout.protocol == ICMP { checksum::of(message) } else { checksum::of_icmpv6(&data[8..40], message) }
}

/// The ICMP error of a gateway that must not forward a packet: type 3, code 13 (RFC 1812, section 5.2.7.1).
pub(crate) struct AdminProhibited;

impl AdminProhibited {
    /// The packet's bytes that the error quotes. RFC 1812 asks for as much as fits into 576 bytes.
    const QUOTED: usize = 576 - 28;

    /// Makes the error about an IPv4 packet from it, and sends it back to where the packet came from. `source` is
    /// an address of the gateway.
    pub(crate) fn answer(packet: &mut Packet, layout: &Layout, source: Ipv4Addr) -> bool {
        let IpAddr::V4(destination) = layout.source.ip() else { return false };
        let quoted = layout.len.min(Self::QUOTED);
        packet.complete_checksum();
        packet.set_len(28 + quoted);
        let data = packet.data_mut();
        data.copy_within(..quoted, 28);
        data[..28].fill(0);
        (data[0], data[8], data[9]) = (0x45, 64, ICMP);
        data[2..4].copy_from_slice(&(28 + quoted as u16).to_be_bytes());
        data[12..16].copy_from_slice(&source.octets());
        data[16..20].copy_from_slice(&destination.octets());
        let sum = checksum::of(&data[..20]).to_be_bytes();
        data[10..12].copy_from_slice(&sum);
        (data[20], data[21]) = (3, 13);
        let sum = checksum::of(&data[20..]).to_be_bytes();
        data[22..24].copy_from_slice(&sum);
        packet.offload = Offload::default();
        packet.to = Some(packet.from);
        true
    }
}
