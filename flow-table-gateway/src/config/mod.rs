//! The configuration, as its TOML file has it.

mod addresses;
mod duration;
mod limits;
mod nat;
mod rules;
mod timeouts;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

pub use addresses::{AddressRange, PortRange, RangeError};
pub use limits::Limits;
pub use nat::{Filtering, Mapping, Nat, Nat66, Pooling, PortForward};
pub use rules::{Action, Protocol, Rule, Rules};
pub use timeouts::{TcpTimeouts, Timeouts};

/// The configuration of a gateway.
///
/// ```
/// # use flow_table_gateway::Config;
/// let config: Config = r#"
///     inside = ["10.0.0.0/24"]
///     [nat]
///     pool = ["203.0.113.1"]
///     [[nat.forward]]
///     protocol = "tcp"
///     outside = "203.0.113.1:80"
///     to = "10.0.0.5:8080"
/// "#.parse()?;
/// assert_eq!(config.nat.unwrap().forward.len(), 1);
/// # Ok::<(), flow_table_gateway::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The networks on the inside. Packets from the inside with other sources are dropped, and so are packets from
    /// the outside with these sources.
    pub inside: Vec<IpNet>,
    /// Forwards every packet unchanged and without a look-up. This is for measurements: it shows what the table and
    /// the translation cost.
    #[serde(default)]
    pub pass_through: bool,
    /// The devices.
    #[serde(default)]
    pub interfaces: Interfaces,
    /// The translation of IPv4 addresses and ports. Without it, IPv4 packets keep theirs.
    pub nat: Option<Nat>,
    /// The translation of IPv6 prefixes.
    #[serde(default)]
    pub nat66: Vec<Nat66>,
    /// The rules of the firewall.
    #[serde(default)]
    pub firewall: Rules,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// The timeouts of flows.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The socket through which a running gateway is asked and told.
    #[serde(default = "default_socket")]
    pub socket: PathBuf,
}

fn default_socket() -> PathBuf {
    "/run/flow-table-gateway.sock".into()
}

/// The devices of the gateway.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interfaces {
    /// The name of the TUN device on the inside.
    pub inside: String,
    /// The name of the TUN device on the outside.
    pub outside: String,
    /// The MTU of both, in bytes.
    pub mtu: u16,
    /// Queues of each device. Each has a worker. Zero means one for each processor.
    pub queues: usize,
    /// Takes and gives packets whose checksums and segments are left to the system.
    pub offload: bool,
}

impl Default for Interfaces {
    fn default() -> Self {
        Self { inside: "ft-in".into(), outside: "ft-out".into(), mtu: 1500, queues: 0, offload: true }
    }
}

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
    Forward(std::net::SocketAddrV4),
    /// The two prefixes of a translation differ in length, are longer than 64 bits, or overlap with others.
    #[error("cannot translate {0} to {1}: the lengths must be equal and at most 64, and no prefix twice")]
    Prefix(ipnet::Ipv6Net, ipnet::Ipv6Net),
    /// A limit is zero.
    #[error("`{0}` must not be zero")]
    Zero(&'static str),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// Any [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Io(path.into(), error))?;
        text.parse()
    }

    fn check(self) -> Result<Self, ConfigError> {
        let is_inside = |address: IpAddr| self.inside.iter().any(|net| net.contains(&address));
        if let Some(nat) = &self.nat {
            let addresses = nat.addresses();
            if addresses.is_empty() || addresses.len() > Nat::MAX_ADDRESSES {
                return Err(ConfigError::Pool(addresses.len()));
            }
            if let Some(address) = addresses.iter().find(|address| is_inside((**address).into())) {
                return Err(ConfigError::PoolInside((*address).into()));
            }
            for (index, forward) in nat.forward.iter().enumerate() {
                let same =
                    |other: &PortForward| (other.protocol, other.outside) == (forward.protocol, forward.outside);
                if nat.forward[..index].iter().any(same) || !addresses.contains(forward.outside.ip()) {
                    return Err(ConfigError::Forward(forward.outside));
                }
            }
        }
        let mut prefixes: Vec<ipnet::Ipv6Net> = Vec::new();
        for Nat66 { inside, outside } in &self.nat66 {
            let overlaps = |a: &ipnet::Ipv6Net, b: &ipnet::Ipv6Net| a.contains(b) || b.contains(a);
            let twice = prefixes.iter().any(|other| overlaps(other, inside) || overlaps(other, outside));
            let fits = inside.prefix_len() == outside.prefix_len() && inside.prefix_len() <= 64;
            if twice || !fits || overlaps(inside, outside) {
                return Err(ConfigError::Prefix(*inside, *outside));
            }
            prefixes.extend([*inside, *outside]);
        }
        self.limits.check()?;
        Ok(self)
    }
}

impl std::str::FromStr for Config {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        toml::from_str::<Self>(text)?.check()
    }
}
