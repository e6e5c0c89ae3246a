// The README's links lead to files. Here they lead to the guide's list of files: of two definitions of a link, the
// first counts.
//! [BENCHMARKS.md]: guide#files
//! [benches/README.md]: guide#files
//! [SECURITY.md]: guide#files
//! [ARCHITECTURE.md]: guide#files
//! [docs/adr]: guide#files
//! [CHANGELOG.md]: guide#files
//! [Apache License 2.0]: guide#files
//! [MIT license]: guide#files
//! [recipes]: guide::recipes
//! [from DashMap]: guide::from_dashmap
#![doc = include_str!("../docs/picture.md")]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod background;
#[cfg(doc)]
pub mod guide;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod monitor;
mod reaper;

pub use flow_table_api::*;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub use monitor::{Monitor, MonitorThread};
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
pub type FlowTable<K, V, S = KeyHasher> = selected::FlowTable<K, V, S>;

/// A handle to a flow of a [`FlowTable`]: its [`Table::Ref`].
///
/// ```
/// use flow_table::{Flow, FlowKey, FlowTable, Handle, Table, Timestamp};
///
/// /// What a packet carries through the pipeline.
/// struct Packet {
///     flow: Option<Handle<FlowKey, u64>>,
/// }
///
/// let table = FlowTable::<FlowKey, u64>::new(1_000);
/// let key: FlowKey = "udp 10.0.0.1:5353 > 10.0.0.2:53".parse()?;
/// let packet = Packet { flow: table.lookup(&key, Timestamp::ZERO) };
/// assert!(packet.flow.is_none());
/// # Ok::<(), flow_table::FlowKeyError>(())
/// ```
#[cfg(any(feature = "dashmap", feature = "custom"))]
pub type Handle<K, V> = <FlowTable<K, V> as Table<K, V>>::Ref;

/// A burst of look-ups in a [`FlowTable`]: its [`Table::Burst`].
#[cfg(any(feature = "dashmap", feature = "custom"))]
pub type FlowBurst<'t, K, V, S = KeyHasher> = <FlowTable<K, V, S> as Table<K, V>>::Burst<'t>;
