use std::sync::Arc;

use arc_swap::ArcSwap;
use flow_table::{Budget, Flow, FlowKey, FlowTable, Stats, Table, TableConfig, Timestamp};

use crate::config::Config;
use crate::conn::{Conn, Sources};
use crate::engine::fragments::Fragments;
use crate::nat::Mappings;
use crate::policy::Policy;
use crate::stats::Counters;

/// A gateway: NAT and stateful firewall over a flow table. It neither receives nor sends packets; its workers do.
pub struct Gateway<T: Table<FlowKey, Conn, Ref: 'static> = FlowTable<FlowKey, Conn>> {
    pub(super) table: T,
    pub(super) fragments: Fragments<T::Ref>,
    pub(super) mappings: Mappings,
    pub(super) sources: Sources,
    pub(super) policy: ArcSwap<Policy>,
    pub(super) counters: Counters,
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
fn table_config(config: &Config) -> TableConfig {
    TableConfig::new(config.limits.flows).refresh_slack(std::time::Duration::from_millis(100))
}

impl Gateway {
    /// A gateway over the table of the selected backend.
    pub fn new(config: &Config) -> Self {
        Self::with_table(config, FlowTable::with_config(table_config(config)))
    }
}

impl<T: Table<FlowKey, Conn, Ref: 'static>> Gateway<T> {
    /// A gateway over this table, whose capacity becomes that of the configuration.
    pub fn with_table(config: &Config, table: T) -> Self {
        table.set_capacity(config.limits.flows);
        Self {
            table,
            fragments: Fragments::new(config.limits.fragments),
            // Each flow has at most one mapping and one source.
            mappings: Mappings::new(config.limits.flows),
            sources: Sources::new(config.limits.flows),
            policy: ArcSwap::from_pointee(Policy::new(config, None)),
            counters: Counters::default(),
        }
    }

    /// The flows. The gateway's own operations go on meanwhile.
    pub const fn table(&self) -> &T {
        &self.table
    }

    /// The counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is in use. O(flows of the pool's ports), so not for every packet.
    pub fn usage(&self) -> Usage {
        let policy = self.policy.load();
        Usage {
            table: self.table.stats(),
            capacity: self.table.capacity(),
            ports: policy.nat.as_ref().map_or(0, |nat| nat.pool.used()),
            fragments: self.fragments.len(),
            bytes: self.table.memory() + self.fragments.memory() + self.mappings.memory() + self.sources.memory(),
        }
    }

    /// Replaces the configuration while packets go on. Flows that could not begin under the new one are cancelled,
    /// and the others stay as they are. The devices stay, too. Returns the number of flows cancelled.
    pub fn reload(&self, config: &Config) -> usize {
        let before = self.policy.load_full();
        let policy = Arc::new(Policy::new(config, Some(&before)));
        self.policy.store(Arc::clone(&policy));
        self.table.set_capacity(config.limits.flows);
        self.mappings.set_capacity(config.limits.flows);
        self.sources.set_capacity(config.limits.flows);
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
        self.mappings.reap(now, budget);
        self.sources.reap(now, budget);
        report.more
    }
}
