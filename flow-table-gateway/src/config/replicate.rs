use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::duration::seconds;

/// The pair to which the gateway belongs. Both have the same configuration, except for `node`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replicate {
    /// The number of this gateway, other than that of its peer.
    pub node: u64,
    /// The name of the pair: letters, digits, `-` and `_`.
    pub cluster: String,
    /// The servers of NATS, separated by commas.
    pub servers: String,
    /// A file with the secret that both share, 16 bytes or more. It decides the shard of a key.
    pub key_file: PathBuf,
    /// A file of credentials of NATS, if the servers ask for some.
    pub credentials: Option<PathBuf>,
    /// A file of certificates of authorities, in addition to those of the system.
    pub authorities: Option<PathBuf>,
    /// The number of servers that keep the log: 1, 3 or 5.
    #[serde(default = "one")]
    pub replicas: usize,
    /// The most bytes of the log, which the servers reserve. It must reach back over two sweeps.
    #[serde(default = "log_bytes")]
    pub log_bytes: i64,
    /// The seconds from one sweep to the next. What is lost on the way to the standby is there after two.
    #[serde(default = "sweep_interval", deserialize_with = "seconds")]
    pub sweep_interval: Duration,
}

const fn one() -> usize {
    1
}

const fn log_bytes() -> i64 {
    1 << 30
}

const fn sweep_interval() -> Duration {
    Duration::from_secs(20)
}
