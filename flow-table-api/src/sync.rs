//! The only door to atomics and locks: std's, or loom's under `--cfg flow_table_loom`. ThreadSanitizer needs locks
//! of its own.

#[cfg(not(flow_table_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(any(flow_table_loom, flow_table_tsan)))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(all(flow_table_tsan, not(flow_table_loom)))]
pub(crate) use crate::tsan::{Mutex, MutexGuard};

#[cfg(flow_table_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering, fence},
};
