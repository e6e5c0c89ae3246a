use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::token::Comparison;

/// Which end of a key an address or port is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Either,
    Source,
    Destination,
}

/// A number of a flow record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    Packets,
    Bytes,
    /// Nanoseconds.
    Duration,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// The first bits of an address.
    Net(Side, IpAddr, u8),
    Port(Side, RangeInclusive<u16>),
    Protocol(u8),
    Version4(bool),
    Tenant(u32),
    Quantity(Quantity, Comparison, u64),
}

/// The number of bits of an address.
pub(super) const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns `true` if the first `prefix` bits of both addresses are the same.
pub(super) fn same_net(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    prefix == 0 || differ >> (128 - u32::from(prefix)) == 0
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Either => "",
            Self::Source => "src ",
            Self::Destination => "dst ",
        })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(side, address, prefix) if *prefix == bits(*address) => write!(f, "{side}host {address}"),
            Self::Net(side, address, prefix) => write!(f, "{side}net {address}/{prefix}"),
            Self::Port(side, range) if range.start() == range.end() => write!(f, "{side}port {}", range.start()),
            Self::Port(side, range) => write!(f, "{side}port {}-{}", range.start(), range.end()),
            Self::Protocol(number) => write!(f, "proto {number}"),
            Self::Version4(true) => f.write_str("ip"),
            Self::Version4(false) => f.write_str("ip6"),
            Self::Tenant(id) => write!(f, "tenant {id}"),
            Self::Quantity(Quantity::Packets, comparison, number) => write!(f, "packets {comparison} {number}"),
            Self::Quantity(Quantity::Bytes, comparison, number) => write!(f, "bytes {comparison} {number}"),
            Self::Quantity(Quantity::Duration, comparison, nanos) => write!(f, "duration {comparison} {nanos}ns"),
        }
    }
}
