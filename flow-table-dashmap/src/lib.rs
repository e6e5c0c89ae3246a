//! Flow table backend.

#![forbid(unsafe_code)]

mod burst;
mod expiry;
mod flow;
mod handle;
mod heap;
mod id;
mod insert;
mod keys;
mod lookup;
mod queue;
mod reap;
mod registry;
mod reinsert;
mod remove;
mod room;
mod shared;
mod slots;
mod stats;
mod stripes;
mod sync;
mod table;
mod watermark;

pub use burst::FlowBurst;
pub use flow::FlowRecord;
pub use flow_table_api;
pub use handle::{FlowHandle, WeakFlowHandle};
pub use table::FlowTable;
