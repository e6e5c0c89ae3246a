use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, poisoned or not.
///
/// Of the user's code only `Eq` of keys runs under a lock of this crate: under the stripes, always before anything
/// has been changed. So whatever a lock guards is consistent, even if a thread has panicked with it (contract V4).
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
