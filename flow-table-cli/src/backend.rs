//! The choice of the table's implementation.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;
use flow_table::FlowKey;

use crate::capture::{self, Options, Watch};
use crate::read::Packets;
use crate::record::Record;
use crate::replay::Sink;
use crate::summary::Summary;

#[cfg(not(any(feature = "dashmap", feature = "custom")))]
compile_error!("enable at least one backend: feature `dashmap` or `custom`");

/// The implementations of the table that were built in. The default is that of `flow_table::FlowTable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// DashMap of weak references, and priority queues per thread.
    #[cfg(feature = "dashmap")]
    #[cfg_attr(not(feature = "custom"), default)]
    Dashmap,
    /// Weak-reaping hash table with the priority queue in it.
    #[cfg(feature = "custom")]
    #[default]
    Custom,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no backend is hidden");
        f.write_str(value.get_name())
    }
}

impl Backend {
    /// [`capture::replay_packets`] through a table of this kind.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn replay(
        self,
        packets: &mut (impl Packets + ?Sized),
        options: &Options,
        watch: &mut Watch<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Summary> {
        match self {
            #[cfg(feature = "dashmap")]
            Self::Dashmap => {
                type Dashmap = flow_table::dashmap::FlowTable<FlowKey, Record>;
                capture::replay_packets::<Dashmap, _>(packets, options, watch, sink)
            }
            #[cfg(feature = "custom")]
            Self::Custom => {
                type Custom = flow_table::custom::FlowTable<FlowKey, Record>;
                capture::replay_packets::<Custom, _>(packets, options, watch, sink)
            }
        }
    }
}
