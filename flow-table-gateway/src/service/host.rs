use std::time::Duration;

use flow_table::{FlowKey, FlowTable};
#[cfg(feature = "metrics")]
use flow_table_replicate::Status;

use crate::conn::Conn;
use crate::engine::Gateway;
use crate::failover::{Member, ReplicatedFlows};
use crate::flows::Flows;
use crate::service::request::{Promoted, Replication};

/// What a service runs: a gateway alone, or one of a pair.
pub(super) trait Host: Send + Sync + 'static {
    type Flows: Flows + 'static;

    fn gateway(&self) -> &Gateway<Self::Flows>;

    /// Makes it the active one.
    fn promote(&self) -> Result<Promoted, String>;

    /// Stands by if another one is active now.
    fn tend(&self);

    fn replication(&self) -> Option<Replication>;

    /// The same in full, for metrics.
    #[cfg(feature = "metrics")]
    fn status(&self) -> Option<Status>;
}

impl Host for Gateway {
    type Flows = FlowTable<FlowKey, Conn>;

    fn gateway(&self) -> &Gateway<Self::Flows> {
        self
    }

    fn promote(&self) -> Result<Promoted, String> {
        Err("the configuration has no [replicate]".into())
    }

    fn tend(&self) {}

    fn replication(&self) -> Option<Replication> {
        None
    }

    #[cfg(feature = "metrics")]
    fn status(&self) -> Option<Status> {
        None
    }
}

/// How long a promotion waits for the log. A take-over is worth more than the last record.
const LIMIT: Duration = Duration::from_secs(1);

impl Host for Member {
    type Flows = ReplicatedFlows;

    fn gateway(&self) -> &Gateway<Self::Flows> {
        self.gateway()
    }

    fn promote(&self) -> Result<Promoted, String> {
        let promotion = self.promote(LIMIT);
        tracing::info!(?promotion, "promoted");
        Ok(Promoted {
            is_active: self.gateway().is_active(),
            flows: promotion.flows,
            confirmed: promotion.confirmed,
            drained: promotion.drained,
            conflicting: promotion.conflicting,
            microseconds: promotion.took.as_micros() as u64,
        })
    }

    fn tend(&self) {
        if self.yield_to_others() {
            tracing::warn!("another gateway has been promoted: this one stands by");
        }
    }

    fn replication(&self) -> Option<Replication> {
        let status = self.status();
        Some(Replication {
            is_active: self.gateway().is_active(),
            behind: status.behind,
            unheard: status.unheard.as_millis() as u64,
            unacknowledged: status.unacknowledged.as_millis() as u64,
            sweep_age: status.sweep_age.map(|age| age.as_millis() as u64),
        })
    }

    #[cfg(feature = "metrics")]
    fn status(&self) -> Option<Status> {
        Some(self.status())
    }
}
