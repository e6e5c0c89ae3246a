//! The only door to locks and counted references. They are std's; under `--cfg flow_table_tsan` ThreadSanitizer
//! understands them.

#[cfg(flow_table_tsan)]
pub(crate) use flow_table_api::tsan::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::sync::PoisonError;
#[cfg(not(flow_table_tsan))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

/// Locks `mutex`, poisoned or not.
///
/// The only user code that runs under a lock of this crate is `Eq` of keys. It runs under the stripes, before
/// anything is changed. So the data that a lock guards is consistent even if a thread has panicked with the lock
/// (contract V4).
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
