//! Flows in memory: entries in pages of 64 KiB, the pages of a shard, and the steps in the life of an entry.
//!
//! ```text
//!   Vacant ── write ──▶ Unpublished ── StrongRef::publish ──▶ referenced ── last reference given up ──▶ Dead
//!     ▲                     │                                                                             │
//!     └────── Slab::free ◀──┴────────────────────── drop_flow, when no burst can see the flow ◀───────────┘
//! ```

mod arena;
mod at;
mod entry;
mod life;
mod locked;
mod notices;
mod page;
mod page_set;
mod refs;
mod slab;

pub(crate) use arena::Arena;
pub(crate) use at::FlowAt;
pub use entry::FlowEntry;
#[cfg(all(test, flow_table_loom))]
pub(crate) use entry::HELD;
pub(crate) use entry::{Entry, Recorder};
pub(crate) use life::{Dead, Empty, Moved, TableRef, Unpublished, Vacant};
pub(crate) use locked::Locked;
pub(crate) use notices::Notices;
#[cfg(all(test, flow_table_loom))]
pub(crate) use notices::PageNotices;

#[cfg(all(test, not(flow_table_loom)))]
pub(crate) use page::entry_bytes;
pub(crate) use page::{Page, entries_in_page};
#[cfg(all(test, flow_table_loom))]
pub(crate) use refs::RefWord;
pub(crate) use slab::Slab;
