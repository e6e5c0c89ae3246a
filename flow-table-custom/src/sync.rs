//! The only door to atomics, locks and busy waiting: std's, loom's under `--cfg flow_table_loom`, shuttle's under
//! `--cfg flow_table_shuttle`.

#[cfg(not(any(flow_table_loom, flow_table_shuttle)))]
mod imp {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use std::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

#[cfg(flow_table_loom)]
mod imp {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

/// Shuttle's own atomics are larger than the words they stand for, so entries and buckets in type-stable memory
/// cannot be made of them. These are std's, with a point before each access at which shuttle may switch threads,
/// and that is all that shuttle's own do: it runs one thread at a time and knows no weak orderings.
#[cfg(all(flow_table_shuttle, not(flow_table_loom)))]
mod imp {
    use std::ops::Deref;
    use std::sync::atomic;

    use shuttle::sync::atomic::AtomicBool;
    pub(crate) use shuttle::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
    pub(crate) use shuttle::thread::yield_now as spin_loop;
    pub(crate) use std::sync::atomic::{Ordering, fence};

    /// One of shuttle's own, for its points to switch at. (Yielding would tell the scheduler that the thread
    /// waits.)
    fn switch() {
        thread_local!(static POINT: AtomicBool = const { AtomicBool::new(false) });
        POINT.with(|point| point.load(Ordering::SeqCst));
    }

    macro_rules! atomics {
        ($($name:ident$(<$t:ident>)? of $value:ty;)+) => {$(
            #[derive(Default)]
            #[repr(transparent)]
            pub(crate) struct $name$(<$t>)?(atomic::$name$(<$t>)?);

            impl$(<$t>)? $name$(<$t>)? {
                #[allow(dead_code, reason = "some are only ever zeroed memory")]
                pub(crate) const fn new(value: $value) -> Self {
                    Self(atomic::$name::new(value))
                }
            }

            impl$(<$t>)? Deref for $name$(<$t>)? {
                type Target = atomic::$name$(<$t>)?;

                fn deref(&self) -> &Self::Target {
                    switch();
                    &self.0
                }
            }
        )+};
    }

    atomics! {
        AtomicU32 of u32;
        AtomicU64 of u64;
        AtomicUsize of usize;
        AtomicPtr<T> of *mut T;
    }
}

use std::sync::TryLockError;

pub(crate) use imp::RawGuard as MutexGuard;
pub(crate) use imp::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence, spin_loop};

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

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
