//! A box whose memory the system gets back the moment that it is dropped: the heap's own pages often do not go back, since
//! one small allocation that lives on keeps all below it.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::fallible::{AllocError, permit};

/// A value in a mapping of its own. Worth it from several pages on.
pub(crate) struct Mapped<T> {
    value: NonNull<T>,
}

// SAFETY: like a `Box`, it owns its value.
unsafe impl<T: Send> Send for Mapped<T> {}
// SAFETY: as for Send.
unsafe impl<T: Sync> Sync for Mapped<T> {}

impl<T> Mapped<T> {
    /// Maps memory and moves `value` there.
    pub(crate) fn new(value: T) -> Result<Self, AllocError> {
        const { assert!(align_of::<T>() <= 4096, "mappings are aligned to pages") };
        permit()?;
        let memory = system::map(size_of::<T>()).ok_or(AllocError)?.cast::<T>();
        // SAFETY: the mapping is new, large enough, and aligned to a page.
        unsafe { memory.write(value) };
        Ok(Self { value: memory })
    }
}

impl<T> Deref for Mapped<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `new` wrote a value there, and only `drop` takes it away.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for Mapped<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`; the borrow is exclusive.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the value is there, and nobody uses it or its mapping after this.
        unsafe {
            self.value.drop_in_place();
            system::unmap(self.value.cast(), size_of::<T>());
        }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::ptr::{NonNull, null_mut};

    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) }
    }

    /// # Safety
    ///
    /// 1. `map` returned `start` for as many bytes, and nobody uses the memory any more.
    pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's 1. If the kernel has no room to note the hole, the memory stays mapped.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::alloc::{Layout, alloc, dealloc};
    use std::ptr::NonNull;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes.max(1), 4096).expect("the size of a value")
    }

    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: the layout is not of size zero.
        NonNull::new(unsafe { alloc(layout(bytes)) })
    }

    /// # Safety
    ///
    /// 1. `map` returned `start` for as many bytes, and nobody uses the memory any more.
    pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's 1.
        unsafe { dealloc(start.as_ptr(), layout(bytes)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
