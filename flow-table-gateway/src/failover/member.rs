use std::io;
use std::sync::Arc;
use std::time::Duration;

use flow_table::{Clock, FlowKey, FlowTable, Timestamp};
use flow_table_replicate::cluster::{NodeId, Registry};
use flow_table_replicate::transport::{Sink, Source};
use flow_table_replicate::{GatewayConfig, Promotion, Replicated, Settings, ShardSet, Status, Tracked};

use crate::config::Config;
use crate::conn::Conn;
use crate::engine::{Gateway, table_config};
use crate::failover::codec::Conns;
use crate::failover::keys::Keys;
use crate::flows::Flows;
use crate::nat::Share;
use crate::resources::Resources;

/// A table of flows that a standby follows.
pub type ReplicatedFlows = Replicated<FlowKey, Conn, FlowTable<FlowKey, Tracked<Conn>>, (Keys, Conns)>;

impl Flows for ReplicatedFlows {
    fn changed(&self, flow: &Self::Ref, now: Timestamp) {
        self.touch(flow, now);
    }

    #[inline]
    fn share(&self, key: &FlowKey) -> Option<Share<'_>> {
        let (first, ownership) = (self.feed().shard(key), self.feed().ownership());
        ownership.role(first).owned.then_some(Share::Owned { first, ownership })
    }
}

type Replication = flow_table_replicate::Gateway<FlowKey, Conn, FlowTable<FlowKey, Tracked<Conn>>, (Keys, Conns)>;

/// How a gateway belongs to a cluster.
pub struct Membership {
    /// Its number there.
    pub node: NodeId,
    /// The settings that all of them share.
    pub settings: Settings,
    /// Where what it records goes.
    pub sink: Box<dyn Sink>,
    /// Where what others record comes from.
    pub source: Box<dyn Source>,
    /// Where it is kept who is the active one.
    pub registry: Box<dyn Registry>,
}

/// One gateway of a pair. It stands by, and has all flows of the active one, until it is promoted.
pub struct Member {
    gateway: Gateway<ReplicatedFlows>,
    replication: Replication,
}

impl Member {
    /// Starts standing by. `clock` is the clock whose time is passed to the gateway.
    ///
    /// # Errors
    ///
    /// If the system starts no more threads.
    pub fn start(
        config: &Config,
        membership: Membership,
        clock: Arc<dyn Clock + Send + Sync>,
    ) -> io::Result<Self> {
        let Membership { node, settings, sink, source, registry } = membership;
        let resources = Arc::new(Resources::new(config));
        let codec = (Keys, Conns { resources: Arc::clone(&resources), clock: Arc::clone(&clock) });
        let flows = ReplicatedFlows::with_settings(table_config(config), settings.standby(), codec);
        let flows = Arc::new(flows);
        let gateway = Gateway::with_parts(config, Arc::clone(&flows), resources);
        gateway.set_active(false);
        let replication = Replication::start(flows, GatewayConfig { node, clock, sink, source, registry })?;
        Ok(Self { gateway, replication })
    }

    /// The gateway.
    pub const fn gateway(&self) -> &Gateway<ReplicatedFlows> {
        &self.gateway
    }

    /// Makes this gateway the active one, after what the former one has recorded. Whoever calls this makes sure
    /// that packets come here and no longer there.
    ///
    /// # Blocking
    ///
    /// Waits for the log and for the registry, each at most for `limit`.
    pub fn promote(&self, limit: Duration) -> Promotion {
        let promotion = self.replication.promote(ShardSet::ALL, limit);
        self.gateway.set_active(promotion.shards == ShardSet::ALL);
        promotion
    }

    /// Stands by if another gateway has been promoted. Returns `true` if so. Call it often.
    pub fn yield_to_others(&self) -> bool {
        let deposed = !self.gateway.table().feed().ownership().take_deposed().is_empty();
        if deposed {
            self.gateway.set_active(false);
        }
        deposed
    }

    /// How the replication is doing.
    pub fn status(&self) -> Status {
        self.replication.status()
    }
}
