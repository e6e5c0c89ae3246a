//! TODO

#![deny(unsafe_op_in_unsafe_fn)]

mod admit;
mod bucket;
mod buckets;
mod burst;
mod bursts;
mod capacity;
mod close;
mod core;
mod doomed;
mod due;
mod ends;
mod entry;
mod filed;
mod handle;
mod hash;
mod index;
mod insert;
mod iterate;
mod keeper;
mod limbo;
mod locks;
mod lookup;
mod memory;
#[cfg(all(test, flow_table_loom))]
mod models;
mod page;
mod prefetch;
mod reap;
mod refs;
mod release;
mod room;
mod segment;
mod shard;
mod slab;
mod slot;
mod stats;
mod sync;
mod table;
mod threads;
mod timer;

pub use burst::FlowBurst;
pub use entry::FlowEntry;
pub use flow_table_api as api;
pub use handle::{StrongRef, WeakRef};
pub use table::FlowTable;
