//! Insertions.

use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

use flow_table::{Timeout, Timestamp};

use crate::class;
use crate::erased::Incoming;
use crate::error::Error;
use crate::guard::guard;
use crate::raw::Flow;
use crate::table::Table;

/// A timeout of so many nanoseconds. The largest number means never.
pub(crate) fn timeout(nanos: u64) -> Timeout {
    if nanos == u64::MAX { Timeout::NEVER } else { Timeout::from(Duration::from_nanos(nanos)) }
}

/// Writes a handle where the caller wants it, or releases it.
///
/// # Safety
///
/// `to` is null or can be written; `flow` is null or a handle.
pub(crate) unsafe fn hand_over(flow: *mut Flow, to: *mut *mut Flow) {
    if !to.is_null() {
        // SAFETY: the caller's.
        unsafe { *to = flow };
    } else if !flow.is_null() {
        // SAFETY: the caller's.
        unsafe { class::of(flow).release(flow) };
    }
}

/// Inserts a flow with one key. It replaces a flow under the same key.
///
/// * `hash`: the key's hash by `ft_hash` or `ft_burst_get_batch`, or zero.
/// * `value`: copied into the flow; null for zeros. From success on the table's destructor ends it. After an error
///   it still belongs to the caller.
/// * `timeout`: nanoseconds without a refresh until the flow expires; `UINT64_MAX` for never.
/// * `now`: nanoseconds on the caller's clock.
/// * `flow`: gets a handle to the new flow, unless it is null.
/// * `replaced`: gets a handle to the live flow that was replaced, or null, unless it is null itself.
///
/// Thread-safe. It takes a lock for a short time. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
/// `FT_ERROR_FULL`, `FT_ERROR_OUT_OF_MEMORY` or `FT_ERROR_INTERNAL`. Unless it is `FT_ERROR_NONE`, nothing is
/// written.
///
/// # Safety
///
/// `table` is null or a table; `key` and `value` are null or have the table's sizes; `flow` and `replaced` are
/// null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_insert(
    table: *const Table,
    key: *const c_void,
    hash: u64,
    value: *const c_void,
    timeout: u64,
    now: u64,
    flow: *mut *mut Flow,
    replaced: *mut *mut Flow,
) -> Error {
    // SAFETY: the caller's.
    unsafe { insert(table, key, ptr::null(), hash, value, timeout, now, flow, replaced) }
}

/// Inserts a flow with two keys: packets of either direction find it. Both appear and disappear together.
/// Otherwise it is as `ft_insert`, and a live flow that is replaced loses both of its keys.
///
/// Thread-safe. It takes locks for a short time. Returns also `FT_ERROR_IDENTICAL_KEYS`, and `FT_ERROR_CONFLICT`
/// if the reply key belongs to another live flow.
///
/// # Safety
///
/// As for `ft_insert`; `reply_key` is null or has the table's key length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_insert_pair(
    table: *const Table,
    key: *const c_void,
    reply_key: *const c_void,
    hash: u64,
    value: *const c_void,
    timeout: u64,
    now: u64,
    flow: *mut *mut Flow,
    replaced: *mut *mut Flow,
) -> Error {
    if reply_key.is_null() {
        return Error::NullPointer;
    }
    // SAFETY: the caller's.
    unsafe { insert(table, key, reply_key, hash, value, timeout, now, flow, replaced) }
}

/// # Safety
///
/// As for `ft_insert_pair`.
#[allow(clippy::too_many_arguments)] // The interface has them.
unsafe fn insert(
    table: *const Table,
    key: *const c_void,
    reply: *const c_void,
    hash: u64,
    value: *const c_void,
    nanos: u64,
    now: u64,
    flow: *mut *mut Flow,
    replaced: *mut *mut Flow,
) -> Error {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }).filter(|_| !key.is_null()) else { return Error::NullPointer };
    guard(Error::Internal, || {
        let incoming = Incoming { key: key.cast(), reply: reply.cast(), hash, value, timeout: timeout(nanos) };
        // SAFETY: the caller's.
        match unsafe { table.inner.insert(incoming, Timestamp::from_nanos(now)) } {
            Ok((new, old)) => {
                // SAFETY: the caller's.
                unsafe {
                    hand_over(new, flow);
                    hand_over(old, replaced);
                }
                Error::None
            }
            Err(error) => error,
        }
    })
}

/// Returns the live flow under `key`, or inserts one: what a packet without a flow needs. It never displaces a
/// live flow. Of threads that race for one key, one inserts, and the others find its flow.
///
/// `reply_key` may be null. `flow` gets a handle to the flow found or inserted; `inserted` whether it was
/// inserted. Either may be null. The value belongs to the table only if the flow was inserted; the rest is as for
/// `ft_insert`. If another live flow has the reply key, that one is found.
///
/// Thread-safe. It takes a lock for a short time if it inserts. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
/// `FT_ERROR_FULL`, `FT_ERROR_IDENTICAL_KEYS`, `FT_ERROR_OUT_OF_MEMORY` or `FT_ERROR_INTERNAL`. Unless it is
/// `FT_ERROR_NONE`, nothing is written.
///
/// # Safety
///
/// As for `ft_insert_pair`; `inserted` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_get_or_insert(
    table: *const Table,
    key: *const c_void,
    reply_key: *const c_void,
    hash: u64,
    value: *const c_void,
    timeout: u64,
    now: u64,
    flow: *mut *mut Flow,
    inserted: *mut bool,
) -> Error {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }).filter(|_| !key.is_null()) else { return Error::NullPointer };
    guard(Error::Internal, || {
        let incoming =
            Incoming { key: key.cast(), reply: reply_key.cast(), hash, value, timeout: self::timeout(timeout) };
        // SAFETY: the caller's.
        match unsafe { table.inner.get_or_insert(incoming, Timestamp::from_nanos(now)) } {
            Ok((found, is_new)) => {
                // SAFETY: the caller's.
                unsafe { hand_over(found, flow) };
                if !inserted.is_null() {
                    // SAFETY: the caller's.
                    unsafe { *inserted = is_new };
                }
                Error::None
            }
            Err(error) => error,
        }
    })
}
