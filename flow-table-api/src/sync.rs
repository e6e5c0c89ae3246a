//! The only door to atomics: std's, or loom's under `--cfg flow_table_loom`.

#[cfg(not(flow_table_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(flow_table_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
