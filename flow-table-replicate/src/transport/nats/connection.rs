use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{ConnectOptions, ServerAddr};
use tokio::runtime::{Builder, Runtime};

use super::config::{NatsConfig, NatsError, PATIENCE, SILENCE};
use crate::cluster::NodeId;

/// A connection to NATS, with threads of its own. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct NatsTransport {
    pub(super) runtime: Arc<Runtime>,
    pub(super) context: jetstream::Context,
    pub(super) cluster: String,
}

impl NatsTransport {
    /// Connects, and makes the log and the registry of the cluster if they do not exist yet. A log that exists
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// [`NatsError`]
    ///
    /// # Blocking
    ///
    /// Waits for the servers. Must not be called within an async runtime.
    pub fn connect(config: &NatsConfig) -> Result<Self, NatsError> {
        let transport = Self::observe(config)?;
        transport.runtime.block_on(prepare(&transport.context, config)).map_err(NatsError::Log)?;
        Ok(transport)
    }

    /// Connects, and makes nothing: for those who only look.
    ///
    /// # Errors
    ///
    /// [`NatsError`]
    ///
    /// # Blocking
    ///
    /// As [`connect`](Self::connect).
    pub fn observe(config: &NatsConfig) -> Result<Self, NatsError> {
        let is_plain = |name: char| name.is_ascii_alphanumeric() || name == '-' || name == '_';
        if config.cluster.is_empty() || !config.cluster.chars().all(is_plain) {
            return Err(NatsError::Name(config.cluster.clone()));
        }
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("flow-nats").enable_all().build()?;
        let context = runtime.block_on(async {
            let refused = |source| NatsError::Connect { servers: config.servers.clone(), source };
            let addresses = config.servers.split(',').map(|server| server.trim().parse::<ServerAddr>());
            let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
            let client = options(config).await?.connect(addresses).await.map_err(refused)?;
            let mut context = jetstream::new(client);
            context.set_timeout(PATIENCE);
            Ok::<_, NatsError>(context)
        })?;
        Ok(Self { runtime: Arc::new(runtime), context, cluster: config.cluster.clone() })
    }

    pub(super) fn subject(&self, node: NodeId) -> String {
        format!("flows.{}.{}", self.cluster, node.0)
    }
}

pub(super) fn stream_name(cluster: &str) -> String {
    format!("FLOWS_{cluster}")
}

pub(super) fn bucket(cluster: &str) -> String {
    format!("flows-{cluster}")
}

async fn options(config: &NatsConfig) -> Result<ConnectOptions, NatsError> {
    let mut options = ConnectOptions::new()
        .name("flow-table-replicate")
        .ping_interval(SILENCE)
        .request_timeout(Some(PATIENCE))
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| Duration::from_millis(100 << attempts.min(4)));
    if let Some((user, password)) = &config.login {
        options = options.user_and_password(user.clone(), password.clone());
    }
    if let Some(file) = &config.credentials {
        options = options.credentials_file(file).await?;
    }
    if let Some(file) = &config.authorities {
        options = options.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &config.identity {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

async fn prepare(context: &jetstream::Context, config: &NatsConfig) -> Result<(), String> {
    let storage = if config.in_memory { stream::StorageType::Memory } else { stream::StorageType::File };
    let log = stream::Config {
        name: stream_name(&config.cluster),
        subjects: vec![format!("flows.{}.*", config.cluster)],
        max_age: config.max_age,
        max_bytes: config.max_bytes,
        num_replicas: config.replicas,
        storage,
        discard: stream::DiscardPolicy::Old,
        ..Default::default()
    };
    context.get_or_create_stream(log).await.map_err(|error| error.to_string())?;
    // As `create_key_value` makes it, without asking for the account's limits: for that it would need one more
    // permission, and servers before 2.10 answer in a form that it cannot read.
    let registry = stream::Config {
        name: format!("KV_{}", bucket(&config.cluster)),
        subjects: vec![format!("$KV.{}.>", bucket(&config.cluster))],
        max_messages_per_subject: 5,
        num_replicas: config.replicas,
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Default::default()
    };
    context.get_or_create_stream(registry).await.map_err(|error| error.to_string())?;
    Ok(())
}
