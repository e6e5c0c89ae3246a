//! What can go wrong, as a number and as a text.

use std::ffi::{CStr, c_char};

use flow_table::{InsertError, NotLive};

/// What a function of this interface returns. Zero is success. `ft_error_text` explains the others.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is done: there is none.
    None = 0,
    /// A pointer that must not be null is null.
    NullPointer = 1,
    /// The configuration has a length of keys that is not 4 to 64.
    KeyLength = 2,
    /// The configuration has a size of values that is more than 512.
    ValueSize = 3,
    /// The table is full, and nothing in it can make room.
    Full = 4,
    /// The two keys of a flow are equal.
    IdenticalKeys = 5,
    /// The reply key belongs to another live flow.
    Conflict = 6,
    /// The system has no memory left, or the table finds no more keys.
    OutOfMemory = 7,
    /// The flow has ended, or its deadline has passed.
    NotLive = 8,
    /// The flow belongs to another table.
    Foreign = 9,
    /// Nothing has that key.
    NotFound = 10,
    /// A defect of the library: it panicked, and the panic went no further.
    Internal = 11,
}

impl Error {
    const fn text(number: u32) -> &'static CStr {
        match number {
            0 => c"success",
            1 => c"a pointer is null that must not be: pass the address of something",
            2 => c"keys must have 4 to 64 bytes: set key_length to the size of your key",
            3 => c"values may have at most 512 bytes: keep a pointer in the value, and free it in the destructor",
            4 => c"the table is full: call ft_reap, raise the capacity, or give flows shorter timeouts",
            5 => c"forward and reply key are equal: insert the flow with ft_insert, which takes one key",
            6 => c"the reply key belongs to another live flow: choose another key, or remove that flow",
            7 => c"out of memory: call ft_reap, or lower the capacity",
            8 => c"the flow is not live any more: look its key up again, or insert a new flow",
            9 => c"the flow belongs to another table: pass the table that it came from",
            10 => c"no active flow has this key",
            11 => {
                c"a defect of the library: please report what it wrote to standard error; the table is consistent"
            }
            _ => c"not an error of this library",
        }
    }

    pub(crate) const fn of_insertion<K, V, R>(error: &InsertError<K, V, R>) -> Self {
        match error {
            InsertError::Full { .. } => Self::Full,
            InsertError::IdenticalKeys { .. } => Self::IdenticalKeys,
            InsertError::Conflict { .. } => Self::Conflict,
            InsertError::OutOfMemory { .. } => Self::OutOfMemory,
            _ => Self::Internal,
        }
    }

    pub(crate) const fn of_deadline(result: &Result<(), NotLive>) -> Self {
        match result {
            Ok(()) => Self::None,
            Err(NotLive(_)) => Self::NotLive,
        }
    }
}

/// Returns what an error means, and what to do about it. `error` may be any number.
///
/// Thread-safe. The text is never null, and stays valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ft_error_text(error: u32) -> *const c_char {
    Error::text(error).as_ptr()
}
