//! The only door to atomics, locks and counted references. They are std's, or loom's under
//! `--cfg flow_table_loom`, or shuttle's under `--cfg flow_table_shuttle`. Under `--cfg flow_table_stall` they are
//! std's, and hold threads up at accesses to them. Under `--cfg flow_table_tsan` ThreadSanitizer understands them.
//!
//! On Linux the locks are those of `rustix-futex-sync`: std's algorithm without poisoning, for which std looks for
//! a panic when it locks and when it unlocks. Like std's, they take no memory, also where threads wait.

#[cfg(not(any(flow_table_loom, flow_table_shuttle, flow_table_stall, flow_table_tsan)))]
mod imp {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

    pub(crate) use super::locks::{RawGuard, RawMutex};
}

#[cfg(flow_table_loom)]
mod imp {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

/// Shuttle's own atomics are larger than the words they stand for, so entries and buckets in type-stable memory
/// cannot be made of them. These are std's, with a point before each access at which shuttle may switch
/// threads. Shuttle's own do no more: it runs one thread at a time and knows no weak orderings.
#[cfg(all(flow_table_shuttle, not(flow_table_loom)))]
mod imp {
    use shuttle::sync::atomic::AtomicBool;
    pub(crate) use shuttle::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
    pub(crate) use std::sync::atomic::{Ordering, fence};

    pub(crate) use super::pointed::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

    /// An access to one of shuttle's own atomics, at which it may switch. (Yielding would mean to the scheduler
    /// that the thread waits.)
    pub(super) fn point() {
        thread_local!(static POINT: AtomicBool = const { AtomicBool::new(false) });
        POINT.with(|point| point.load(Ordering::SeqCst));
    }
}

#[cfg(all(flow_table_stall, not(any(flow_table_loom, flow_table_shuttle))))]
mod imp {
    use std::cell::Cell;
    use std::panic::Location;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64 as Counter;
    pub(crate) use std::sync::atomic::{Ordering, fence};
    use std::thread;
    use std::time::Duration;

    pub(crate) use super::locks::{RawGuard, RawMutex};
    pub(crate) use super::pointed::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

    /// For so many accesses, by all threads, the places stay the same.
    const ACCESSES: u64 = 1_024;

    /// Holds the thread up at some places of the code, and at other places after a while. It does so once in
    /// four times, for up to a millisecond. Many errors need threads that are held up at two places at the same
    /// time, so the places can be narrowed to one file: FLOW_TABLE_STALL_IN is a part of its name.
    #[track_caller]
    pub(super) fn point() {
        static ALL: Counter = Counter::new(0);
        static FILE: OnceLock<String> = OnceLock::new();
        thread_local!(static OWN: Cell<u64> = const { Cell::new(0) });
        let place = Location::caller();
        let era = ALL.fetch_add(1, Ordering::Relaxed) / ACCESSES;
        let own = OWN.try_with(|own| own.replace(own.get() + 1)).unwrap_or(0);
        let word = u64::from(place.line()) << 32 ^ place.file().len() as u64;
        let file = FILE.get_or_init(|| std::env::var("FLOW_TABLE_STALL_IN").unwrap_or_default());
        let one_in = match file.as_str() {
            "" => 8,
            file if place.file().contains(file) => 2,
            _ => return,
        };
        if mixed(word ^ era.rotate_left(16)) % one_in == 0 {
            match mixed(own ^ era) {
                dice if dice % 4 == 0 => thread::sleep(Duration::from_micros(dice >> 32 & 1_023)),
                _ => thread::yield_now(),
            }
        }
    }

    /// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    const fn mixed(word: u64) -> u64 {
        let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }
}

#[cfg(flow_table_tsan)]
mod imp {
    pub(crate) use flow_table_api::tsan::{Mutex as RawMutex, MutexGuard as RawGuard};
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// std's atomics, with a point before each access.
#[cfg(all(any(flow_table_shuttle, flow_table_stall), not(flow_table_loom)))]
mod pointed {
    use std::ops::Deref;
    use std::sync::atomic;

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

                #[track_caller]
                fn deref(&self) -> &Self::Target {
                    super::imp::point();
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

/// The locks of threads that nobody schedules.
#[cfg(not(any(flow_table_loom, flow_table_shuttle, flow_table_tsan)))]
mod locks {
    #[cfg(all(target_os = "linux", not(miri)))]
    pub(crate) use rustix_futex_sync::{Mutex as RawMutex, MutexGuard as RawGuard};
    #[cfg(not(all(target_os = "linux", not(miri))))]
    pub(crate) use std::sync::{Mutex as RawMutex, MutexGuard as RawGuard};
}

#[cfg(flow_table_tsan)]
pub(crate) use flow_table_api::tsan::{Arc, OnceLock, Weak};
#[cfg(not(flow_table_tsan))]
pub(crate) use std::sync::{Arc, OnceLock, Weak};

pub(crate) use imp::RawGuard as MutexGuard;
pub(crate) use imp::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// A mutex without poisoning. The code that runs under it keeps what it protects consistent, also if user code
/// panics.
pub(crate) struct Mutex<T>(imp::RawMutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::RawMutex::new(value))
    }
}

#[cfg(all(target_os = "linux", not(any(miri, flow_table_loom, flow_table_shuttle, flow_table_tsan))))]
impl<T> Mutex<T> {
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }
}

#[cfg(not(all(target_os = "linux", not(any(miri, flow_table_loom, flow_table_shuttle, flow_table_tsan)))))]
impl<T> Mutex<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }
}
