//! Reaping, and visits to all flows.

use std::ffi::c_void;

use flow_table::{Budget, ReapReport, Timestamp};

use crate::guard::guard;
use crate::raw::Flow;
use crate::table::Table;

/// Why a reap hands a flow over.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its deadline passed.
    Expired = 0,
    /// It was cancelled.
    Cancelled = 1,
    /// Something that this version of the interface has no name for.
    Other = 2,
}

/// What a reap has done.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Reaped {
    /// Flows that were handed over because their deadline had passed.
    pub expired: usize,
    /// Flows that were handed over because they were cancelled.
    pub cancelled: usize,
    /// Flows that were visited and stay, most of them because they were refreshed.
    pub rescheduled: usize,
    /// Whether the budget was used up before the work was done: call again.
    pub more: bool,
}

/// Called for each flow that a reap hands over. The flow is borrowed until the call returns; `ft_retain` keeps it.
/// It may use the table. It must not unwind: no C++ exception may leave it.
pub type Ended = Option<unsafe extern "C" fn(flow: *const Flow, reason: EndReason, context: *mut c_void)>;

/// Called for each flow of a visit. As for the callback of a reap.
pub type Visit = Option<unsafe extern "C" fn(flow: *const Flow, context: *mut c_void)>;

/// Takes out the flows that are due at `now` nanoseconds, or cancelled, and passes each to `ended`, once, unless
/// that is null. It visits at most `budget` flows; `SIZE_MAX` for all. Returns what it did; zeros if `table` is
/// null.
///
/// A flow that others still hold is handed over, too: they may still change its value.
///
/// Thread-safe. With nothing due it takes constant time. `ended` runs on this thread, under no lock.
///
/// # Safety
///
/// `table` is null or a table, and `ended` may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_reap(
    table: *const Table,
    now: u64,
    budget: usize,
    ended: Ended,
    context: *mut c_void,
) -> Reaped {
    // SAFETY: the caller's.
    let Some(table) = (unsafe { table.as_ref() }) else { return Reaped::default() };
    let mut hand_over = |flow: *const Flow, reason| {
        let reason = match reason {
            flow_table::EndReason::Expired => EndReason::Expired,
            flow_table::EndReason::Cancelled => EndReason::Cancelled,
            _ => EndReason::Other,
        };
        if let Some(ended) = ended {
            // SAFETY: the caller's.
            unsafe { ended(flow, reason, context) };
        }
    };
    guard(Reaped::default(), || {
        let report = table.inner.reap(Timestamp::from_nanos(now), Budget::flows(budget), &mut hand_over);
        let ReapReport { expired, cancelled, rescheduled, more, .. } = report;
        Reaped { expired, cancelled, rescheduled, more }
    })
}

/// Calls `visit` for each active flow, once. Flows that come or go meanwhile may be left out. Does nothing if
/// `table` or `visit` is null.
///
/// Thread-safe. It takes time in proportion to the table. `visit` runs on this thread, under no lock.
///
/// # Safety
///
/// `table` is null or a table, and `visit` may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_for_each(table: *const Table, visit: Visit, context: *mut c_void) {
    // SAFETY: the caller's.
    if let (Some(table), Some(visit)) = (unsafe { table.as_ref() }, visit) {
        // SAFETY: the caller's.
        guard((), || table.inner.for_each(&mut |flow| unsafe { visit(flow, context) }));
    }
}

/// Returns a time in nanoseconds before which a reap finds nothing to do: `UINT64_MAX` if the table is empty or
/// null, zero if something waits already. It may be too early, because refreshes do not move it.
///
/// Thread-safe.
///
/// # Safety
///
/// `table` is null or a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_next_deadline(table: *const Table) -> u64 {
    // SAFETY: the caller's.
    let next = unsafe { table.as_ref() }.and_then(|table| guard(None, || table.inner.next_deadline()));
    next.map_or(u64::MAX, Timestamp::as_nanos)
}
