//! The only door to atomics and locks: std's, loom's under `--cfg flow_table_loom`, shuttle's under
//! `--cfg flow_table_shuttle`.

#[cfg(not(any(flow_table_loom, flow_table_shuttle)))]
mod imp {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

#[cfg(flow_table_loom)]
mod imp {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

#[cfg(all(flow_table_shuttle, not(flow_table_loom)))]
mod imp {
    pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use shuttle::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

pub(crate) use imp::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use imp::RawGuard as MutexGuard;

/// A mutex without poisoning: what it guards is kept consistent by the code under it, user panics included.
pub(crate) struct Mutex<T>(imp::RawMutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::RawMutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
