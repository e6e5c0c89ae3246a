#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod reaper;

pub use flow_table_api::*;
pub use reaper::{Reaper, ReaperConfig};

#[cfg(feature = "custom")]
pub use flow_table_custom as custom;
#[cfg(feature = "dashmap")]
pub use flow_table_dashmap as dashmap;

#[cfg(feature = "custom")]
use flow_table_custom as selected;
#[cfg(all(feature = "dashmap", not(feature = "custom")))]
use flow_table_dashmap as selected;

/// The table of the selected backend: `custom` if that feature is on, else `dashmap`.
///
/// Cargo adds up the features that a program's dependencies ask for, so the alias may mean either. Code that needs
/// a certain backend should name it: `flow_table::dashmap::FlowTable` or `flow_table::custom::FlowTable`.
#[cfg(any(feature = "dashmap", feature = "custom"))]
pub type FlowTable<K, V> = selected::FlowTable<K, V>;
