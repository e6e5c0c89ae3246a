use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flow_table::{Budget, Flow, FlowKey, FlowTable, Stats, TableConfig, Timestamp};

use crate::config::Config;
use crate::conn::Conn;
use crate::engine::fragments::Fragments;
use crate::flows::Flows;
use crate::policy::Policy;
use crate::resources::Resources;
use crate::stats::Counters;

/// A gateway: NAT and stateful firewall over a flow table. It neither receives nor sends packets; its workers do.
pub struct Gateway<T: Flows = FlowTable<FlowKey, Conn>> {
    pub(super) table: Arc<T>,
    pub(super) fragments: Fragments<T::Ref>,
    pub(super) resources: Arc<Resources>,
    pub(super) counters: Counters,
    active: AtomicBool,
}

/// What a gateway uses at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The table of flows.
    pub table: Stats,
    /// Its limit.
    pub capacity: usize,
    /// Outside ports in use.
    pub ports: usize,
    /// Fragmented packets that are followed.
    pub fragments: usize,
    /// Bytes of all tables.
    pub bytes: usize,
}

/// The settings of the table of flows.
///
/// A packet of a busy flow need not write its deadline each time: a tenth of a second late is soon enough.
pub(crate) fn table_config(config: &Config) -> TableConfig {
    TableConfig::new(config.limits.flows).refresh_slack(std::time::Duration::from_millis(100))
}

impl Gateway {
    /// A gateway over the table of the selected backend.
    pub fn new(config: &Config) -> Self {
        Self::with_table(config, FlowTable::with_config(table_config(config)))
    }
}

impl<T: Flows> Gateway<T> {
    /// A gateway over this table, whose capacity becomes that of the configuration.
    pub fn with_table(config: &Config, table: T) -> Self {
        table.set_capacity(config.limits.flows);
        Self::with_parts(config, Arc::new(table), Arc::new(Resources::new(config)))
    }

    /// A gateway over a table and resources that others use, too.
    pub(crate) fn with_parts(config: &Config, table: Arc<T>, resources: Arc<Resources>) -> Self {
        let fragments = Fragments::new(config.limits.fragments);
        let (counters, active) = (Counters::default(), AtomicBool::new(true));
        Self { table, fragments, resources, counters, active }
    }

    /// The flows. The gateway's own operations go on meanwhile.
    pub fn table(&self) -> &T {
        &self.table
    }

    /// Says whether the gateway forwards packets. One that stands by drops them all.
    pub fn set_active(&self, active: bool) {
        // Relaxed: a packet more or less.
        self.active.store(active, Ordering::Relaxed);
    }

    /// Whether the gateway forwards packets.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// The counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is in use. O(flows of the pool's ports), so not for every packet.
    pub fn usage(&self) -> Usage {
        let policy = self.resources.policy.load();
        Usage {
            table: self.table.stats(),
            capacity: self.table.capacity(),
            ports: policy.nat.as_ref().map_or(0, |nat| nat.pool.used()),
            fragments: self.fragments.len(),
            bytes: self.table.memory()
                + self.fragments.memory()
                + self.resources.mappings.memory()
                + self.resources.sources.memory(),
        }
    }

    /// Replaces the configuration while packets go on. Flows that could not begin under the new one are cancelled,
    /// and the others stay as they are. The devices stay, too. Returns the number of flows cancelled.
    pub fn reload(&self, config: &Config) -> usize {
        let before = self.resources.policy.load_full();
        let policy = Arc::new(Policy::new(config, Some(&before)));
        self.resources.policy.store(Arc::clone(&policy));
        self.table.set_capacity(config.limits.flows);
        self.resources.mappings.set_capacity(config.limits.flows);
        self.resources.sources.set_capacity(config.limits.flows);
        self.fragments.set_capacity(config.limits.fragments);

        let mut cancelled = 0;
        self.table.for_each(|flow| {
            let has_target = flow.value().parts.target.is_some();
            let stays = flow.reply_key().is_some_and(|reply| policy.still_accepts(flow.key(), reply, has_target));
            cancelled += usize::from(!stays && flow.cancel());
        });
        cancelled
    }

    /// Ends all flows. Returns their number.
    pub fn flush(&self) -> usize {
        self.fragments.clear();
        let mut cancelled = 0;
        self.table.for_each(|flow| cancelled += usize::from(flow.cancel()));
        cancelled
    }

    /// Lets go of the flows of this thread that are due, at most `budget`. Workers call it between bursts.
    pub fn reap_local(&self, now: Timestamp, budget: Budget) {
        self.table.reap_local(now, budget);
    }

    /// Lets go of what is due, at most `budget` flows of each table. Call it often: nothing else frees
    /// ports. Returns `true` if more is left.
    pub fn reap(&self, now: Timestamp, budget: Budget) -> bool {
        self.fragments.reap(now, budget);
        let report = self.table.reap(now, budget);
        self.resources.mappings.reap(now, budget);
        self.resources.sources.reap(now, budget);
        report.more
    }
}
