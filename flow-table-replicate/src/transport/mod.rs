//! What carries batches from an owner to its standbys.
//!
//! A transport is a log: batches are appended, kept for a while, and read in order from any place. A [`Sink`]
//! appends, a [`Source`] reads. Both are polled, so they need no async runtime.
//!
//! Transports may lose, repeat, delay and reorder batches, and may lose what they have acknowledged. Sweeps repair
//! what is lost; nothing but time is lost by that.

mod memory;
#[cfg(feature = "nats")]
pub mod nats;
mod traits;

pub use memory::{MemorySink, MemorySource, MemoryTransport};
pub use traits::{Busy, Event, Outcome, Sink, Source};
