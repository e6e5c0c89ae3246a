//! The map from keys to flows, and the locks of threads that change it.

pub(crate) mod slots;
pub(crate) mod stripes;
