use std::net::IpAddr;
use std::path::{Path, PathBuf};

use flow_table_replicate::ShardId;
use ipnet::{IpNet, Ipv6Net};
use serde::Deserialize;

use super::error::ConfigError;
use super::limits::Limits;
use super::nat::{Nat, Nat66, PortForward};
use super::replicate::Replicate;
use super::rules::Rules;
use super::timeouts::Timeouts;

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
    /// Forwards every packet unchanged and without a look-up. This is for measurements: it shows what the table
    /// and the translation cost.
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
    /// The pair to which the gateway belongs, in programs with the feature `nats`.
    pub replicate: Option<Replicate>,
    /// The address at which Prometheus finds the metrics, in programs with the feature `metrics`.
    pub metrics: Option<std::net::SocketAddr>,
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

    /// The defaults, with nothing on the inside.
    pub(crate) fn without_nat() -> Self {
        Self {
            inside: Vec::new(),
            pass_through: false,
            interfaces: Interfaces::default(),
            nat: None,
            nat66: Vec::new(),
            firewall: Rules::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            replicate: None,
            metrics: None,
            socket: default_socket(),
        }
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
            let ports = nat.ports.ports().len();
            if self.replicate.is_some() && ports < ShardId::COUNT {
                return Err(ConfigError::Ports(ports));
            }
            for (index, forward) in nat.forward.iter().enumerate() {
                let same =
                    |other: &PortForward| (other.protocol, other.outside) == (forward.protocol, forward.outside);
                if nat.forward[..index].iter().any(same) || !addresses.contains(forward.outside.ip()) {
                    return Err(ConfigError::Forward(forward.outside));
                }
            }
        }
        let mut prefixes: Vec<Ipv6Net> = Vec::new();
        for Nat66 { inside, outside } in &self.nat66 {
            let overlaps = |a: &Ipv6Net, b: &Ipv6Net| a.contains(b) || b.contains(a);
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
