//! Look-ups that count references.

use std::ffi::c_void;
use std::ptr;

use flow_table::Timestamp;

use crate::guard::guard;
use crate::raw::Flow;
use crate::table::Table;

/// Looks a key up at `now` nanoseconds. Returns a handle, which the caller releases, or null if no flow has the
/// key, or a pointer is null. Check the result of `ft_refresh`: a flow may have ended. In a burst, look-ups cost
/// less.
///
/// Thread-safe. It takes no lock, and never waits for another look-up.
///
/// # Safety
///
/// `table` is null or a table, and `key` is null or has the table's key length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_lookup(table: *const Table, key: *const c_void, now: u64) -> *mut Flow {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }).filter(|_| !key.is_null()) else { return ptr::null_mut() };
    // SAFETY: the caller's.
    guard(ptr::null_mut(), || unsafe { table.inner.lookup(key.cast(), Timestamp::from_nanos(now)) })
}

/// Looks `count` keys up that stand one after the other, each of the table's key length. Writes for each key, in
/// their order, a handle to `flows`, or null. Their cache misses overlap. If a pointer is null, it does nothing.
///
/// Thread-safe. It takes no lock.
///
/// # Safety
///
/// `table` is null or a table; there are `count` keys, and room for as many flows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_lookup_batch(
    table: *const Table,
    keys: *const c_void,
    count: usize,
    now: u64,
    flows: *mut *mut Flow,
) {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }).filter(|_| !keys.is_null() && !flows.is_null()) else { return };
    // SAFETY: the caller's.
    guard((), || unsafe { table.inner.lookup_batch(keys.cast(), count, Timestamp::from_nanos(now), flows) });
}

/// Returns the hash of a key in this table, to pass to an insertion, or zero if a pointer is null. It is never
/// zero otherwise, and the same for as long as the table lives. Do not show it to whoever chooses the keys: hashes
/// reveal the table's secret.
///
/// Thread-safe.
///
/// # Safety
///
/// `table` is null or a table, and `key` is null or has the table's key length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_hash(table: *const Table, key: *const c_void) -> u64 {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }).filter(|_| !key.is_null()) else { return 0 };
    // SAFETY: the caller's.
    guard(0, || unsafe { table.inner.hash(key.cast()) })
}
