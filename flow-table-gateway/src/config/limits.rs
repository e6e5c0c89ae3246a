use serde::Deserialize;

use super::error::ConfigError;

/// Limits of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Flows in the table. When it is full, new flows are refused and the others go on.
    pub flows: usize,
    /// Flows that one source may have: an IPv4 address, or an IPv6 network of 64 bits.
    pub flows_per_source: u32,
    /// Fragmented packets that are followed at one time.
    pub fragments: usize,
    /// ICMP errors that a worker sends in a second.
    pub errors_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 1_000_000, flows_per_source: 20_000, fragments: 4_096, errors_per_second: 100 }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("limits.flows", self.flows),
            ("limits.flows_per_source", self.flows_per_source as usize),
            ("limits.fragments", self.fragments),
        ];
        match limits.into_iter().find(|(_, limit)| *limit == 0) {
            Some((name, _)) => Err(ConfigError::Zero(name)),
            None => Ok(()),
        }
    }
}
