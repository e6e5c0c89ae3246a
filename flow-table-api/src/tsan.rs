//! Locks and counted references with std's interface that ThreadSanitizer understands.
//!
//! ThreadSanitizer sees only what is compiled with it, and the prebuilt std is not. If a thread waits for one of
//! its locks, the order of the threads is not seen. Nor are fences, and std's `Arc` needs one when its last owner
//! goes. Nor is the end of a scope of threads, so tests join each.

use std::sync::{LockResult, TryLockError, TryLockResult};

pub use once_cell::sync::OnceCell as OnceLock;
pub use parking_lot::MutexGuard;
pub use portable_atomic_util::{Arc, Weak};

/// A mutex. A panic does not poison it.
#[derive(Debug, Default)]
pub struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        Ok(self.0.lock())
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    ///
    /// If another thread has the lock.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        self.0.try_lock().ok_or(TryLockError::WouldBlock)
    }
}
