use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv6Net;
use serde::Deserialize;

use super::addresses::{AddressRange, PortRange};
use super::rules::Protocol;

/// The translation of IPv4 addresses and ports (NAPT). RFC 4787, RFC 5382 and RFC 5508 name the behaviours.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// The addresses that packets get on their way out.
    pub pool: Vec<AddressRange>,
    /// The ports that packets get on their way out.
    #[serde(default = "default_ports")]
    pub ports: PortRange,
    /// How sessions of one inside address and port share an outside one.
    #[serde(default)]
    pub mapping: Mapping,
    /// Who may send to an address and port that are in use.
    #[serde(default)]
    pub filtering: Filtering,
    /// How an inside address gets its outside address.
    #[serde(default)]
    pub pooling: Pooling,
    /// Whether hosts on the inside reach each other by their outside addresses.
    #[serde(default = "yes")]
    pub hairpinning: bool,
    /// Ports of the outside that lead to hosts on the inside.
    #[serde(default)]
    pub forward: Vec<PortForward>,
}

const fn yes() -> bool {
    true
}

fn default_ports() -> PortRange {
    PortRange::new(1024, 65535).expect("in order")
}

impl Nat {
    /// The most addresses of a pool.
    pub const MAX_ADDRESSES: usize = 4096;

    /// The addresses of the pool, each once, and at most one more than [`MAX_ADDRESSES`](Self::MAX_ADDRESSES).
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        let all = self.pool.iter().flat_map(AddressRange::addresses);
        let mut addresses: Vec<_> = all.take(Self::MAX_ADDRESSES + 1).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

/// RFC 4787, section 4.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    /// All sessions of one inside address and port have the same outside address and port.
    #[default]
    EndpointIndependent,
    /// Each session has a port of its own.
    AddressAndPortDependent,
}

/// RFC 4787, section 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filtering {
    /// Anybody. It needs [`Mapping::EndpointIndependent`] to have an effect.
    EndpointIndependent,
    /// Only the address and port to which the inside has sent.
    #[default]
    AddressAndPortDependent,
}

/// RFC 4787, section 4.1, REQ-2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Always the same.
    #[default]
    Paired,
    /// Another one if the first has no free port.
    Arbitrary,
}

/// A port of the outside that leads to a host on the inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortForward {
    /// The protocol: `tcp` or `udp`.
    pub protocol: Protocol,
    /// An address of the pool, and a port. No session gets this port.
    pub outside: SocketAddrV4,
    /// The host, and its port.
    pub to: SocketAddrV4,
}

/// Translates an IPv6 prefix to another of the same length, and changes nothing else that a checksum covers
/// (RFC 6296).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat66 {
    /// The prefix on the inside.
    pub inside: Ipv6Net,
    /// The prefix on the outside.
    pub outside: Ipv6Net,
}
