use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// After this long without an answer a connection counts as dead, and is made anew.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// How long one request may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How to reach NATS, and how it keeps a cluster's log.
#[derive(Clone)]
pub struct NatsConfig {
    /// The servers, separated by commas: `nats://10.0.0.1:4222,nats://10.0.0.2:4222`, or `tls://…`.
    pub servers: String,
    /// The name of the cluster: letters, digits, `-` and `_`.
    pub cluster: String,
    /// A user and its password, if the servers ask for them.
    pub login: Option<(String, String)>,
    /// A file of credentials (`.creds`), if the servers ask for some.
    pub credentials: Option<PathBuf>,
    /// A file of certificates of authorities in PEM, in addition to those of the system.
    pub authorities: Option<PathBuf>,
    /// This gateway's certificate and its key in PEM, if the servers ask for them.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The number of servers that keep the log: 1, 3 or 5.
    pub replicas: usize,
    /// Keeps the log in the servers' memory and not in their files.
    pub in_memory: bool,
    /// How far back the log reaches: over two sweep intervals, and some more.
    pub max_age: Duration,
    /// The most bytes of the log.
    pub max_bytes: i64,
}

impl fmt::Debug for NatsConfig {
    /// Does not show the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig")
            .field("servers", &self.servers)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl NatsConfig {
    /// One server that keeps the log in files, ten minutes of it and at most 2 GiB, without TLS or credentials.
    pub fn new(servers: impl Into<String>, cluster: impl Into<String>) -> Self {
        Self {
            servers: servers.into(),
            cluster: cluster.into(),
            login: None,
            credentials: None,
            authorities: None,
            identity: None,
            replicas: 1,
            in_memory: false,
            max_age: Duration::from_secs(600),
            max_bytes: 2 << 30,
        }
    }
}

/// Why there is no connection to NATS.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum NatsError {
    /// The name of the cluster has other characters, or none.
    #[error("`{0}` is no name of a cluster: use letters, digits, `-` and `_`")]
    Name(String),
    /// The runtime cannot be started, or a file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The servers cannot be reached, or refuse the credentials.
    #[error("cannot connect to {servers}: {source}")]
    Connect {
        /// The servers.
        servers: String,
        /// Why.
        source: async_nats::ConnectError,
    },
    /// The log or the registry cannot be made.
    #[error("cannot make the log of the cluster: {0}")]
    Log(String),
}
