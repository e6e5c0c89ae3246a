//! A gateway that is one of a pair, over NATS JetStream.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, ensure};
use flow_table::MonotonicClock;
use flow_table_replicate::cluster::NodeId;
use flow_table_replicate::transport::nats::{NatsConfig, NatsTransport};
use flow_table_replicate::{ClusterKey, Settings};

use crate::config::{Config, Replicate};
use crate::failover::{Member, Membership};

pub(super) fn join(config: &Config, replicate: &Replicate, clock: MonotonicClock) -> anyhow::Result<Member> {
    let file = || replicate.key_file.display().to_string();
    let secret = fs::read(&replicate.key_file).with_context(file)?;
    let key = secret.first_chunk().with_context(|| format!("{} has less than 16 bytes", file()))?;
    let mut nats = NatsConfig::new(&replicate.servers, &replicate.cluster);
    nats.credentials.clone_from(&replicate.credentials);
    nats.authorities.clone_from(&replicate.authorities);
    nats.replicas = replicate.replicas;
    nats.max_bytes = replicate.log_bytes;
    ensure!(!replicate.sweep_interval.is_zero(), "`replicate.sweep_interval` must not be zero");
    nats.max_age = nats.max_age.max(replicate.sweep_interval * 10);
    let nats = NatsTransport::connect(&nats)?;
    let node = NodeId(replicate.node);
    let membership = Membership {
        node,
        settings: Settings::new(ClusterKey::new(*key)).sweep_interval(replicate.sweep_interval),
        sink: Box::new(nats.sink(node)),
        source: Box::new(nats.source()),
        registry: Box::new(nats.registry()),
    };
    let member = Member::start(config, membership, Arc::new(clock)).context("cannot start the replication")?;
    tracing::info!(node = replicate.node, cluster = replicate.cluster, "standing by");
    Ok(member)
}
