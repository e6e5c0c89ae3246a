//! The wrapper: a table that records its own life. It does nothing else.

mod burst;
mod convert;
mod flow;
mod lists;
mod replicated;
mod tracked;

pub use burst::TrackedBurst;
pub use flow::{TrackedFlow, TrackedRef, TrackedWeak};
pub use replicated::{Replicated, ReplicatedTable};
pub use tracked::Tracked;
