//! What knows nothing of flows, keys or time: names, counts, locks, panics.

pub(crate) mod count;
pub(crate) mod id;
pub(crate) mod nesting;
pub(crate) mod panics;
pub(crate) mod sync;
pub(crate) mod watermark;
