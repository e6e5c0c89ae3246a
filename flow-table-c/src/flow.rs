//! What is done with a flow alone, without its table.

use std::ffi::c_void;
use std::ptr;

use flow_table::Timestamp;

use crate::class;
use crate::guard::guard;
use crate::raw::{self, Flow};

/// Where a flow is in its life.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In no table: removed, replaced, or the table is gone.
    Detached = 0,
    /// Its deadline passed.
    Expired = 1,
    /// It was cancelled.
    Cancelled = 2,
    /// In a table, until its deadline.
    Active = 3,
}

/// Which of a flow's keys was looked up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The key with which the flow was inserted; also of handles that did not come from a look-up.
    Forward = 0,
    /// Its reply key.
    Reply = 1,
}

/// Returns another handle to a flow, which may be borrowed, with the same direction. The caller releases it.
/// Returns null if the flow is null, or has ended and nobody but bursts can see it.
///
/// Thread-safe. It never blocks.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_retain(flow: *const Flow) -> *mut Flow {
    if flow.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's; the class is the flow's.
    guard(ptr::null_mut(), || unsafe { class::of(flow).retain(flow) })
}

/// Releases a handle. The last one of a flow that is in no table any more ends the flow's value. Null is allowed.
///
/// Thread-safe. It may run the destructor, and may take a lock then; the destructor runs under none.
///
/// # Safety
///
/// `flow` is null or a handle, which is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_release(flow: *mut Flow) {
    if !flow.is_null() {
        // SAFETY: the caller's; the class is the flow's.
        guard((), || unsafe { class::of(flow).release(flow) });
    }
}

/// Moves the deadline to `now` plus the flow's timeout, unless it is later already. Returns whether the flow is
/// live at `now`. If not, or if `flow` is null, nothing changes.
///
/// Thread-safe. It never blocks: it is one atomic operation.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_refresh(flow: *const Flow, now: u64) -> bool {
    // SAFETY: the caller's; the class is the flow's. It runs no code of the caller, and does not panic.
    !flow.is_null() && unsafe { class::of(flow).refresh(flow, Timestamp::from_nanos(now)) }
}

/// Ends a flow. From then on look-ups do not find it, and the next reap hands it over. Returns whether this call
/// ended it; false if `flow` is null.
///
/// Thread-safe. It may take a lock for a short time.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_cancel(flow: *const Flow) -> bool {
    // SAFETY: the caller's; the class is the flow's.
    !flow.is_null() && guard(false, || unsafe { class::of(flow).cancel(flow) })
}

/// Returns the flow's value: as many bytes as the configuration says, aligned to 16. It stays there for as long as
/// the flow is held or borrowed. Null if `flow` is null.
///
/// Thread-safe, but the library does not order accesses to the value: what several threads use must be atomic, or
/// under a lock of the caller. What was copied in by an insertion is visible to everybody who finds the flow.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_value(flow: *const Flow) -> *mut c_void {
    if flow.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's; the class is the flow's.
    unsafe { class::of(flow).value(flow) }
}

/// Copies a key of the flow to `key`: the forward one, or the reply key if `reply`. `length` is the table's key
/// length. Returns false, and writes nothing, if the flow has no such key or a pointer is null.
///
/// Thread-safe.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed. `length` is the table's, and as many bytes can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_key(flow: *const Flow, reply: bool, key: *mut c_void, length: usize) -> bool {
    let direction = if reply { flow_table::Direction::Reply } else { flow_table::Direction::Forward };
    // SAFETY: the caller's; the class is the flow's.
    !flow.is_null() && !key.is_null() && unsafe { class::of(flow).key(flow, direction, key.cast(), length) }
}

/// Returns which of its keys the flow was found by. Forward if `flow` is null.
///
/// Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn ft_found_by(flow: *const Flow) -> Direction {
    match raw::direction(flow) {
        flow_table::Direction::Forward => Direction::Forward,
        flow_table::Direction::Reply => Direction::Reply,
    }
}

/// Returns whether both are the same flow, by whichever keys they were found.
///
/// Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn ft_same(one: *const Flow, other: *const Flow) -> bool {
    raw::is_same(one, other)
}

/// Returns the flow's status; active may be out of date the moment it is read. Detached if `flow` is null.
///
/// Thread-safe.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_status(flow: *const Flow) -> Status {
    if flow.is_null() {
        return Status::Detached;
    }
    // SAFETY: the caller's; the class is the flow's.
    match unsafe { class::of(flow).state(flow) }.0 {
        flow_table::Status::Detached => Status::Detached,
        flow_table::Status::Expired => Status::Expired,
        flow_table::Status::Cancelled => Status::Cancelled,
        flow_table::Status::Active => Status::Active,
    }
}

/// Returns the time in nanoseconds at which the flow expires unless it is refreshed. Zero if `flow` is null.
///
/// Thread-safe.
///
/// # Safety
///
/// `flow` is null, a handle, or borrowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_deadline(flow: *const Flow) -> u64 {
    if flow.is_null() {
        return 0;
    }
    // SAFETY: the caller's; the class is the flow's.
    unsafe { class::of(flow).state(flow) }.1.as_nanos()
}
