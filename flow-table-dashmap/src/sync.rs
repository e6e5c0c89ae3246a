//! Locks that a panic does not poison.
//!
//! Under the key stripes `Eq` of the user's keys may panic (contract V4), always before anything has been changed;
//! under the other locks nothing of the user's runs. So whatever a lock guards is consistent when it is found poisoned.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read_sharded<T>(lock: &ShardedLock<T>) -> ShardedLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write_sharded<T>(lock: &ShardedLock<T>) -> ShardedLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
