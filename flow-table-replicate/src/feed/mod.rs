//! The way of a record from the packet path to the publisher.
//!
//! ```text
//! worker threads            ring                 publisher
//! [buffer|buffer] ─ full ─▶ [ | | | ] ─ merged ─▶ window ─▶ transport
//! [buffer|buffer] ─ 2 ms ─▶      ▲
//! sweeper ───────────────▶ [ | ] ┘ (waits for room; workers never do)
//! ```

mod counters;
mod exports;
mod health;
mod outbox;
mod parcel;
mod record;

pub use counters::Counters;
pub(crate) use exports::{Exports, Held};
pub(crate) use outbox::Outbox;
pub(crate) use parcel::Parcel;
pub use record::Feed;
pub(crate) use record::Shared;
