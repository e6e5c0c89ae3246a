use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, poisoned or not.
///
/// The only user code that runs under a lock of this crate is `Eq` of keys. It runs under the stripes, before
/// anything is changed. So the data that a lock guards is consistent even if a thread has panicked with the lock
/// (contract V4).
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
