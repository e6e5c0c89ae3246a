//! The choice of the table's implementation.

use std::fmt;
use std::io::Read;

use anyhow::Result;
use clap::ValueEnum;

use crate::capture::{self, Options, Progress};
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
    /// [`capture::replay`] through a table of this kind.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn replay(
        self,
        input: impl Read,
        options: &Options,
        progress: &mut Progress<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Summary> {
        match self {
            #[cfg(feature = "dashmap")]
            Self::Dashmap => {
                capture::replay::<flow_table::dashmap::FlowTable<_, _>>(input, options, progress, sink)
            }
            #[cfg(feature = "custom")]
            Self::Custom => capture::replay::<flow_table::custom::FlowTable<_, _>>(input, options, progress, sink),
        }
    }
}
