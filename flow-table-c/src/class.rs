//! The classes: what is compiled once for each length of keys and size of values. Here is what a flow can do
//! without its table.

use std::ffi::c_void;
use std::marker::PhantomData;

use flow_table::{Direction, Flow as _, Timestamp};

use crate::erased::{AnyTable, TableOf};
use crate::key::Key;
use crate::raw::{self, BYTES, Flow, WORDS};
use crate::settings::Settings;
use crate::value::Value;

/// What can be done with flows of one class, and a way to make a table of it.
///
/// # Safety of the functions
///
/// 1. `flow` is not null and of this class.
/// 2. It is a handle, or borrowed, during the call.
pub(crate) trait Class: Sync {
    fn make(&self, settings: &Settings) -> Box<dyn AnyTable>;

    /// Another handle, or null if nothing but bursts sees the flow.
    unsafe fn retain(&self, flow: *const Flow) -> *mut Flow;

    /// 3. `flow` is a handle that is not used any more.
    unsafe fn release(&self, flow: *mut Flow);

    unsafe fn refresh(&self, flow: *const Flow, now: Timestamp) -> bool;

    unsafe fn cancel(&self, flow: *const Flow) -> bool;

    unsafe fn value(&self, flow: *const Flow) -> *mut c_void;

    /// 3. `length` is that of the table's keys, and so many bytes can be written to `key`.
    unsafe fn key(&self, flow: *const Flow, direction: Direction, key: *mut u8, length: usize) -> bool;

    unsafe fn state(&self, flow: *const Flow) -> (flow_table::Status, Timestamp);
}

/// The class of keys of `W` words and values of `N` bytes.
struct ClassOf<const W: usize, const N: usize>(PhantomData<(Key<W>, Value<N>)>);

impl<const W: usize, const N: usize> Class for ClassOf<W, N> {
    fn make(&self, settings: &Settings) -> Box<dyn AnyTable> {
        Box::new(TableOf::<W, N>::new(settings))
    }

    unsafe fn retain(&self, flow: *const Flow) -> *mut Flow {
        // SAFETY: the caller's 1 and 2.
        let handle = unsafe { raw::entry::<W, N>(flow) }.handle(raw::direction(flow));
        handle.map_or(std::ptr::null_mut(), raw::give)
    }

    unsafe fn release(&self, flow: *mut Flow) {
        // SAFETY: the caller's 1 to 3.
        drop(unsafe { raw::take::<W, N>(flow) });
    }

    unsafe fn refresh(&self, flow: *const Flow, now: Timestamp) -> bool {
        // SAFETY: the caller's 1 and 2.
        unsafe { raw::entry::<W, N>(flow) }.refresh(now)
    }

    unsafe fn cancel(&self, flow: *const Flow) -> bool {
        // SAFETY: the caller's 1 and 2.
        let handle = unsafe { raw::entry::<W, N>(flow) }.handle(raw::direction(flow));
        handle.is_some_and(|flow| flow.cancel())
    }

    unsafe fn value(&self, flow: *const Flow) -> *mut c_void {
        // SAFETY: the caller's 1 and 2.
        unsafe { raw::entry::<W, N>(flow) }.value().pointer()
    }

    unsafe fn key(&self, flow: *const Flow, direction: Direction, key: *mut u8, length: usize) -> bool {
        // SAFETY: the caller's 1 and 2.
        let found = unsafe { raw::entry::<W, N>(flow) }.key_for(direction);
        if let Some(found) = found {
            // SAFETY: the caller's 3.
            unsafe { found.write(key, length) };
        }
        found.is_some()
    }

    unsafe fn state(&self, flow: *const Flow) -> (flow_table::Status, Timestamp) {
        // SAFETY: the caller's 1 and 2.
        let state = unsafe { raw::entry::<W, N>(flow) }.state().load();
        (state.status, state.deadline)
    }
}

macro_rules! classes {
    ($($words:literal)+) => {
        [$(
            &ClassOf::<$words, { BYTES[0] }>(PhantomData),
            &ClassOf::<$words, { BYTES[1] }>(PhantomData),
            &ClassOf::<$words, { BYTES[2] }>(PhantomData),
            &ClassOf::<$words, { BYTES[3] }>(PhantomData),
            &ClassOf::<$words, { BYTES[4] }>(PhantomData),
        )+]
    };
}

/// By number: see [`raw::class_of`].
static CLASSES: [&dyn Class; WORDS.len() * BYTES.len()] = classes!(1 2 3 5 6 8);

/// The class of a flow, which must not be null.
#[inline]
pub(crate) fn of(flow: *const Flow) -> &'static dyn Class {
    CLASSES[raw::class(flow)]
}

/// The smallest class for keys and values of these sizes, if there is one.
pub(crate) fn holding(key_length: usize, value_size: usize) -> Option<&'static dyn Class> {
    let words = WORDS.into_iter().find(|words| 8 * words >= key_length)?;
    let bytes = BYTES.into_iter().find(|bytes| *bytes >= value_size)?;
    Some(CLASSES[raw::class_of(words, bytes)])
}
