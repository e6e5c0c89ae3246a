use std::net::{IpAddr, SocketAddrV4};
use std::path::PathBuf;

use ipnet::Ipv6Net;

use super::nat::Nat;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// It is no TOML, or not of this form.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// The NAT has no address, or more than [`Nat::MAX_ADDRESSES`].
    #[error("the pool has {0} addresses; it needs 1 to {max}", max = Nat::MAX_ADDRESSES)]
    Pool(usize),
    /// An address of the pool is on the inside.
    #[error("{0} is in the pool and on the inside")]
    PoolInside(IpAddr),
    /// A port is forwarded twice, or its outside address is not in the pool.
    #[error("the port forward of {0} is there twice, or its address is not in the pool")]
    Forward(SocketAddrV4),
    /// The two prefixes of a translation differ in length, are longer than 64 bits, or overlap with others.
    #[error("cannot translate {0} to {1}: the lengths must be equal and at most 64, and no prefix twice")]
    Prefix(Ipv6Net, Ipv6Net),
    /// A pair needs a port at least for each shard.
    #[error("a pair divides the ports among 256 shards, and {0} ports are too few")]
    Ports(usize),
    /// A limit is zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
}
