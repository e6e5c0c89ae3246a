//! A box whose memory the system gets back the moment that it is dropped: the heap's own pages often do not go
//! back, since one small allocation that lives on keeps all below it.

use std::alloc::Layout;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::{AllocError, os};
use crate::sync::{AtomicPtr, AtomicU32};

/// A value in a mapping of its own. Worth it from several pages on.
pub(crate) struct Mapped<T: ?Sized> {
    value: NonNull<T>,
}

// SAFETY: like a `Box`, it owns its value.
unsafe impl<T: ?Sized + Send> Send for Mapped<T> {}
// SAFETY: as for Send.
unsafe impl<T: ?Sized + Sync> Sync for Mapped<T> {}

impl<T> Mapped<T> {
    /// Maps memory and moves `value` there.
    pub(crate) fn new(value: T) -> Result<Self, AllocError> {
        let memory = os::map(Layout::new::<T>())?.cast::<T>();
        // SAFETY: the mapping is new, and has the layout of a `T`.
        unsafe { memory.write(value) };
        Ok(Self { value: memory })
    }
}

/// A type with a default that is all zeros.
///
/// # Safety
///
/// 1. It is; loom's types need not be.
pub(crate) unsafe trait Zero: Default {}

// SAFETY: (1) a pointer, null by default.
unsafe impl Zero for AtomicPtr<u8> {}
// SAFETY: (1) a number, zero by default.
unsafe impl Zero for AtomicU32 {}

impl<T: Zero> Mapped<[T]> {
    /// Maps `len` zeros, at least one. Parts that are never touched never become resident.
    pub(crate) fn zeroed(len: usize) -> Result<Self, AllocError> {
        let first = os::map(Layout::array::<T>(len).map_err(|_| AllocError)?)?.cast::<T>();
        #[cfg(flow_table_loom)]
        // SAFETY: the mapping is new, and has the layout of so many `T`.
        (0..len).for_each(|at| unsafe { first.add(at).write(T::default()) });
        Ok(Self { value: NonNull::slice_from_raw_parts(first, len) })
    }
}

impl<T: ?Sized> Deref for Mapped<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is a value since the mapping was made, and only `drop` takes it away.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for Mapped<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`; the borrow is exclusive.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized> Drop for Mapped<T> {
    fn drop(&mut self) {
        let layout = Layout::for_value::<T>(self);
        // SAFETY: the value is there, and nobody uses it or its mapping, which was made with this layout, after
        // this.
        unsafe {
            self.value.drop_in_place();
            os::unmap(self.value.cast(), layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Ordering;
    use std::rc::Rc;

    #[test]
    fn holds_and_drops_its_value() {
        let witness = Rc::new(());
        let mut mapped = Mapped::new((Rc::clone(&witness), [0u8; 9000])).expect("there is memory");
        mapped.1[8999] = 7;
        assert_eq!((mapped.1[8999], Rc::strong_count(&witness)), (7, 2));
        drop(mapped);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn holds_zeros() {
        let mapped = Mapped::<[AtomicU32]>::zeroed(9000).expect("there is memory");
        mapped[8999].store(7, Ordering::Relaxed);
        let sum = mapped.iter().map(|number| number.load(Ordering::Relaxed)).sum::<u32>();
        assert_eq!((mapped.len(), sum), (9000, 7));
    }
}
