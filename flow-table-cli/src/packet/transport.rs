//! Ports, and what is used in their place.

use etherparse::ip_number;

use super::class::Class;
use super::ip::IpVersion;

/// The part of a flow key that the transport header determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transport {
    pub(super) class: Class,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) tcp_flags: u8,
}

/// The flags of a TCP header (RFC 9293).
pub mod tcp {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment number is valid.
    pub const ACK: u8 = 0x10;
}

impl Transport {
    pub(super) const LATER_FRAGMENT: Self = Self::without_ports(Class::LaterFragment);
    pub(super) const SHORT: Self = Self::without_ports(Class::Short);

    const fn without_ports(class: Class) -> Self {
        Self { class, source_port: 0, destination_port: 0, tcp_flags: 0 }
    }

    /// Reads `payload`: the bytes after the IP headers that were captured and are within the packet's length.
    pub(super) fn parse(version: IpVersion, protocol: u8, payload: &[u8]) -> Self {
        match (protocol.into(), version) {
            (ip_number::TCP, _) => ports(Class::Tcp, 20, payload),
            (ip_number::UDP, _) => ports(Class::Udp, 8, payload),
            (ip_number::UDP_LITE, _) => ports(Class::Other, 8, payload),
            (ip_number::SCTP, _) => ports(Class::Sctp, 12, payload),
            (ip_number::DCCP, _) => ports(Class::Other, 12, payload),
            (ip_number::ICMP, IpVersion::V4) => icmp([8, 0], payload),
            (ip_number::IPV6_ICMP, IpVersion::V6) => icmp([128, 129], payload),
            _ => Self::without_ports(Class::Other),
        }
    }
}

/// Ports count only if the whole fixed header is there.
fn ports(class: Class, header_len: usize, payload: &[u8]) -> Transport {
    match *payload {
        [a, b, c, d, ..] if payload.len() >= header_len => Transport {
            class,
            source_port: u16::from_be_bytes([a, b]),
            destination_port: u16::from_be_bytes([c, d]),
            tcp_flags: if class == Class::Tcp { payload[13] } else { 0 },
        },
        _ => Transport::SHORT,
    }
}

fn icmp(echo: [u8; 2], payload: &[u8]) -> Transport {
    match *payload {
        [kind, _, _, _, high, low, _, _, ..] if echo.contains(&kind) => {
            let identifier = u16::from_be_bytes([high, low]);
            Transport {
                class: Class::IcmpEcho,
                source_port: identifier,
                destination_port: identifier,
                tcp_flags: 0,
            }
        }
        [kind, _, _, _, ..] if !echo.contains(&kind) => Transport::without_ports(Class::IcmpOther),
        _ => Transport::SHORT,
    }
}
