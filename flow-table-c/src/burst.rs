//! Bursts: look-ups that borrow flows and count no references.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use flow_table::Timestamp;

use crate::guard::guard;
use crate::open::{Burst, head};
use crate::raw::Flow;
use crate::table::Table;

/// Opens a burst at `now` nanoseconds: look-ups within it borrow flows and count no references. Returns null if
/// `table` is null.
///
/// Thread-safe. It blocks nothing, and an open burst blocks nothing. It only delays the destructors of flows that
/// end meanwhile, so keep bursts short. Any number may be open. The burst belongs to the thread that opened it.
/// Close it before the table is freed.
///
/// # Safety
///
/// `table` is null or a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_burst_open(table: *const Table, now: u64) -> *mut Burst {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }) else { return ptr::null_mut() };
    // SAFETY: the caller closes the burst before.
    guard(ptr::null_mut(), || unsafe { table.inner.burst(Timestamp::from_nanos(now)) }.as_ptr())
}

/// Looks `count` keys up that stand one after the other, each of the table's key length. Writes for each key, in
/// their order, the flow to `flows`, or null. Flows are borrowed until the burst is closed. Check the result of
/// `ft_refresh`: a flow may have ended.
///
/// If `hashes` is not null, writes the hash of each key there. Pass that of a key which was not found to the
/// insertion that follows.
///
/// Call it on the burst's thread. It takes no lock. If a pointer is null that must not be, it does nothing.
///
/// # Safety
///
/// The burst is open, and this is its thread. There are `count` keys, and room for as many flows and hashes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_burst_get_batch(
    burst: *mut Burst,
    keys: *const c_void,
    count: usize,
    flows: *mut *const Flow,
    hashes: *mut u64,
) {
    let Some(burst) = NonNull::new(burst).filter(|_| !keys.is_null() && !flows.is_null()) else { return };
    // SAFETY: the caller's.
    guard((), || unsafe { (head(burst).get_batch)(burst, keys.cast(), count, hashes, flows) });
}

/// Looks one key up, as `ft_burst_get_batch` does. Returns a borrowed flow, or null.
///
/// Call it on the burst's thread. It takes no lock.
///
/// # Safety
///
/// As for `ft_burst_get_batch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_burst_get(burst: *mut Burst, key: *const c_void) -> *const Flow {
    let Some(burst) = NonNull::new(burst).filter(|_| !key.is_null()) else { return ptr::null() };
    // SAFETY: the caller's.
    guard(ptr::null(), || unsafe { (head(burst).get)(burst, key.cast()) })
}

/// Refreshes `count` flows that this burst borrowed, or null, at the burst's time, as `ft_refresh` does. Writes
/// for each, in their order, whether it is live to `live`. It costs less than as many calls of `ft_refresh`.
///
/// Call it on the burst's thread. It never blocks. If a pointer is null that must not be, it does nothing.
///
/// # Safety
///
/// The burst is open, this is its thread, and it borrowed the flows that are not null. There is room for as many
/// answers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_burst_refresh_batch(
    burst: *mut Burst,
    flows: *const *const Flow,
    count: usize,
    live: *mut bool,
) {
    let Some(burst) = NonNull::new(burst).filter(|_| !flows.is_null() && !live.is_null()) else { return };
    // SAFETY: the caller's.
    guard((), || unsafe { (head(burst).refresh_batch)(burst, flows, count, live) });
}

/// Closes a burst. What it borrowed must not be used any more. Null is allowed.
///
/// Call it on the burst's thread. It may run destructors of flows that waited for the burst.
///
/// # Safety
///
/// The burst is open, and this is its thread. It is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_burst_close(burst: *mut Burst) {
    if let Some(burst) = NonNull::new(burst) {
        // SAFETY: the caller's.
        guard((), || unsafe { (head(burst).close)(burst) });
    }
}
