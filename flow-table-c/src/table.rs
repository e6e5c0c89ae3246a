//! Tables: made, sized, freed.

use crate::class;
use crate::erased::AnyTable;
use crate::error::Error;
use crate::guard::guard;
use crate::key::MIN_KEY;
use crate::settings::Config;
use crate::value::MAX_VALUE;

/// A table of flows, behind a pointer.
pub struct Table {
    pub(crate) inner: Box<dyn AnyTable>,
}

/// Makes an empty table, and writes it to `table`. It takes memory for the flows that it holds, not for its
/// capacity. Free it with `ft_table_free`.
///
/// Thread-safe. Returns `FT_ERROR_NONE`, `FT_ERROR_NULL_POINTER`, `FT_ERROR_KEY_LENGTH`, `FT_ERROR_VALUE_SIZE` or
/// `FT_ERROR_INTERNAL`. Unless it is `FT_ERROR_NONE`, `table` is unchanged.
///
/// # Safety
///
/// `config` is null or can be read, and `table` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_table_new(config: *const Config, table: *mut *mut Table) -> Error {
    // SAFETY: the caller's.
    let Some(config) = (unsafe { config.as_ref() }) else { return Error::NullPointer };
    if table.is_null() {
        return Error::NullPointer;
    }
    if config.key_length < MIN_KEY {
        return Error::KeyLength;
    }
    if config.value_size > MAX_VALUE {
        return Error::ValueSize;
    }
    let Some(class) = class::holding(config.key_length, config.value_size) else { return Error::KeyLength };
    guard(Error::Internal, || {
        let made = Box::new(Table { inner: class.make(&config.into()) });
        // SAFETY: the caller's.
        unsafe { *table = Box::into_raw(made) };
        Error::None
    })
}

/// Frees a table. Its active flows end as detached. Handles may outlive it: they can be read, refreshed (which
/// does nothing), and released. Null is allowed.
///
/// No other thread may use the table, and no burst of it may be open. It runs the destructors of flows that nobody
/// holds.
///
/// # Safety
///
/// `table` is null or a table, which is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_table_free(table: *mut Table) {
    if !table.is_null() {
        // SAFETY: the caller's.
        guard((), || drop(unsafe { Box::from_raw(table) }));
    }
}

/// Returns the number of flows that have a place in the table: the active ones, and those that have ended and were
/// not reaped yet. It is never above the capacity. Zero if `table` is null.
///
/// Thread-safe. It takes constant time.
///
/// # Safety
///
/// `table` is null or a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_len(table: *const Table) -> usize {
    // SAFETY: the caller's.
    unsafe { table.as_ref() }.map_or(0, |table| guard(0, || table.inner.len()))
}

/// Returns the number of flows that may have a place in the table at most. Zero if `table` is null.
///
/// Thread-safe.
///
/// # Safety
///
/// `table` is null or a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_capacity(table: *const Table) -> usize {
    // SAFETY: the caller's.
    unsafe { table.as_ref() }.map_or(0, |table| guard(0, || table.inner.capacity()))
}

/// Sets the capacity. Below `ft_len` it evicts nothing; insertions are refused until enough flows have gone. Does
/// nothing if `table` is null.
///
/// Thread-safe.
///
/// # Safety
///
/// `table` is null or a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ft_set_capacity(table: *const Table, flows: usize) {
    // SAFETY: the caller's.
    if let Some(table) = unsafe { table.as_ref() } {
        guard((), || table.inner.set_capacity(flows));
    }
}
