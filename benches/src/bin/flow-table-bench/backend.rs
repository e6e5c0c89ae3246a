//! The backends by name, for commands that run one of them.

use std::fmt;

use clap::ValueEnum;
use flow_table_benches::Candidate;

/// The implementations of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backend {
    /// DashMap of weak references, and priority queues per thread.
    Dashmap,
    /// One hash table with the priority queue in it.
    #[default]
    Custom,
}

impl Backend {
    /// The backend as something that can be measured.
    pub(crate) const fn candidate(self) -> Candidate {
        match self {
            Self::Dashmap => Candidate::Dashmap,
            Self::Custom => Candidate::Custom,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.candidate().name())
    }
}
