use std::fmt;

use clap::ValueEnum;

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

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no backend is hidden");
        f.write_str(value.get_name())
    }
}
