//! Values: bytes that belong to the caller, and what happens to them at the end.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// The largest value.
pub(crate) const MAX_VALUE: usize = 512;

/// Called once for each flow that was in a table, when nobody holds it any more: with its value, and with the
/// `context` of the table's configuration. It may use the table. It must not unwind: no C++ exception may leave
/// it.
pub type Destructor = Option<unsafe extern "C" fn(value: *mut c_void, context: *mut c_void)>;

/// What the caller's code gets back as it was given.
#[derive(Clone, Copy)]
pub(crate) struct Context(pub(crate) *mut c_void);

// SAFETY: the library only passes it on. Its documentation asks callers to allow that on any thread.
unsafe impl Send for Context {}
// SAFETY: as for Send.
unsafe impl Sync for Context {}

/// What ends the values of a table. Flows may outlive their table, so each flow keeps it.
pub(crate) struct Owner {
    pub(crate) destructor: unsafe extern "C" fn(*mut c_void, *mut c_void),
    pub(crate) context: Context,
}

/// A value of at most `N` bytes, aligned to 16.
#[repr(C, align(16))]
pub struct Value<const N: usize> {
    bytes: UnsafeCell<[MaybeUninit<u8>; N]>,
    owner: Option<Arc<Owner>>,
}

// SAFETY: the library writes the bytes before others can see them and never reads them. What the caller's code
// does with them is its own to order, as `ft_value` says.
unsafe impl<const N: usize> Send for Value<N> {}
// SAFETY: as for Send.
unsafe impl<const N: usize> Sync for Value<N> {}

impl<const N: usize> Value<N> {
    /// Copies `size` bytes, or zeros if `from` is null.
    ///
    /// # Safety
    ///
    /// 1. So many bytes can be read unless `from` is null; `size` is at most `N`.
    pub(crate) unsafe fn new(from: *const c_void, size: usize, owner: Option<Arc<Owner>>) -> Self {
        let mut bytes = [MaybeUninit::new(0); N];
        if !from.is_null() {
            // SAFETY: (1), and the copy is new.
            unsafe { bytes.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(from.cast(), size) };
        }
        Self { bytes: UnsafeCell::new(bytes), owner }
    }

    pub(crate) const fn pointer(&self) -> *mut c_void {
        self.bytes.get().cast()
    }

    /// Drops a value that never got into the table: it still belongs to the caller.
    pub(crate) fn give_up(mut self) {
        self.owner = None;
    }
}

impl<const N: usize> Drop for Value<N> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            // SAFETY: the caller's destructor, with the caller's value and context, once. No lock is held (V1).
            unsafe { (owner.destructor)(self.pointer(), owner.context.0) };
        }
    }
}
