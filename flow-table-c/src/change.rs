//! Deadlines, and flows that are taken out.

use flow_table::Timestamp;
use std::ffi::c_void;

use crate::error::Error;
use crate::guard::guard;
use crate::insert::timeout;
use crate::raw::Flow;
use crate::table::Table;

/// Runs `body` with a table and a flow, unless one of them is null.
///
/// # Safety
///
/// `table` is null or a table.
unsafe fn with(table: *const Table, flow: *const Flow, body: impl FnOnce(&Table) -> Error) -> Error {
    // SAFETY: the caller's.
    match unsafe { table.as_ref() } {
        Some(table) if !flow.is_null() => guard(Error::Internal, || body(table)),
        _ => Error::NullPointer,
    }
}

/// Sets a flow's timeout to so many nanoseconds, and its deadline to `now` plus that, also to an earlier time:
/// what a closing connection needs. `UINT64_MAX` means never.
///
/// Thread-safe. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`, `FT_ERROR_INTERNAL`, `FT_ERROR_FOREIGN` if the
/// flow is of a table with other sizes, or `FT_ERROR_NOT_LIVE` if it has ended or its deadline has passed.
///
/// # Safety
///
/// `table` is null or a table; `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_set_timeout(table: *const Table, flow: *const Flow, timeout: u64, now: u64) -> Error {
    let (timeout, now) = (self::timeout(timeout), Timestamp::from_nanos(now));
    // SAFETY: the caller's.
    unsafe { with(table, flow, |table| table.inner.set_timeout(flow, timeout, now)) }
}

/// Sets the time in nanoseconds at which an active flow expires, also to an earlier one. Later refreshes work as
/// before.
///
/// Thread-safe. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`, `FT_ERROR_FOREIGN`, `FT_ERROR_INTERNAL`, or
/// `FT_ERROR_NOT_LIVE` if the flow has ended.
///
/// # Safety
///
/// As for `ft_set_timeout`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_set_deadline(table: *const Table, flow: *const Flow, deadline: u64) -> Error {
    // SAFETY: the caller's.
    unsafe { with(table, flow, |table| table.inner.set_deadline(flow, Timestamp::from_nanos(deadline))) }
}

/// Removes the active flow under `key`, which may be its forward or its reply key. `removed` gets a handle to it,
/// or the handle is released if `removed` is null.
///
/// Thread-safe. It takes a lock for a short time. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
/// `FT_ERROR_NOT_FOUND` or `FT_ERROR_INTERNAL`. Unless it is `FT_ERROR_NONE`, nothing is written.
///
/// # Safety
///
/// `table` is null or a table; `key` is null or has the table's key length; `removed` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_remove(table: *const Table, key: *const c_void, removed: *mut *mut Flow) -> Error {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }).filter(|_| !key.is_null()) else { return Error::NullPointer };
    guard(Error::Internal, || {
        // SAFETY: the caller's.
        let flow = unsafe { table.inner.remove(key.cast()) };
        if flow.is_null() {
            return Error::NotFound;
        }
        // SAFETY: the caller's, and this is a handle.
        unsafe { crate::insert::hand_over(flow, removed) };
        Error::None
    })
}

/// Removes exactly this flow, if it is active.
///
/// Thread-safe. It takes a lock for a short time. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`,
/// `FT_ERROR_FOREIGN`, `FT_ERROR_INTERNAL`, or `FT_ERROR_NOT_LIVE` if the flow was not active.
///
/// # Safety
///
/// As for `ft_set_timeout`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_remove_flow(table: *const Table, flow: *const Flow) -> Error {
    let remove = |table: &Table| {
        // SAFETY: the caller's.
        match unsafe { table.inner.remove_flow(flow) } {
            Ok(true) => Error::None,
            Ok(false) => Error::NotLive,
            Err(error) => error,
        }
    };
    // SAFETY: the caller's.
    unsafe { with(table, flow, remove) }
}
