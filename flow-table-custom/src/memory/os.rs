//! Zeroed memory from the system. This is the only place that maps it, gives it back and advises the system
//! about it.
//!
//! # Ground rules
//!
//! 1. The caller of [`map`] alone owns the range until it calls [`unmap`].
//! 2. [`give_back`] changes contents to zeros, and the compiler does not know it. Only atomic accesses may run
//!    at the same time.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::fallible::{AllocError, permit};

pub(super) use system::{GIVES_BACK, give_back, populate, unmap, wish_huge};

/// Maps zeroed memory of this layout, whose size is not zero.
///
/// # Errors
///
/// The system has no memory or no addresses left.
pub(super) fn map(layout: Layout) -> Result<NonNull<u8>, AllocError> {
    debug_assert_ne!(layout.size(), 0);
    permit()?;
    system::map(layout).ok_or(AllocError)
}

/// What the system made of a wish for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Populated {
    Yes,
    /// There is no memory for all of it.
    NotNow,
    /// The system can't do this.
    Never,
}

/// Makes zeroed memory resident by writing zeros to it. Without memory, the system ends the process.
///
/// # Safety
///
/// 1. [`map`] has just returned the range, and nobody else knows it.
pub(super) unsafe fn touch(start: NonNull<u8>, bytes: usize) {
    /// The smallest page of the systems that there are.
    const PAGE_BYTES: usize = 4096;
    // SAFETY: (1), and the range is that long. Without `volatile`, the compiler would see that it is zero already.
    (0..bytes).step_by(PAGE_BYTES).for_each(|at| unsafe { start.add(at).write_volatile(0) });
}

/// Linux: anonymous mappings.
#[cfg(all(target_os = "linux", not(any(miri, flow_table_loom, flow_table_portable))))]
mod system {
    use std::alloc::Layout;
    use std::io;
    use std::ptr::{NonNull, null_mut};

    use super::Populated;

    /// `true` if [`give_back`] can do anything on this system.
    pub(crate) const GIVES_BACK: bool = true;

    /// The kernel aligns mappings to at least so many bytes by itself.
    const PAGE_BYTES: usize = 4096;

    /// If the layout needs more than a page's alignment, this maps that much more and keeps the highest aligned
    /// range. The kernel maps downwards, so the next such range ends where this one starts, and neighbours
    /// share one entry of the kernel's list of mappings.
    pub(super) fn map(layout: Layout) -> Option<NonNull<u8>> {
        let beyond = if layout.align() > PAGE_BYTES { layout.align() } else { 0 };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe { libc::mmap(null_mut(), layout.size() + beyond, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            None
        } else if beyond == 0 {
            NonNull::new(start.cast())
        } else {
            // SAFETY: the mapping is new and that long, and nobody else knows it.
            unsafe { trim(start.cast(), layout) }
        }
    }

    /// Unmaps all but the highest aligned range of the layout's size.
    ///
    /// # Safety
    ///
    /// 1. As many bytes from `start` on as size and alignment together are mapped, and the caller's to unmap.
    pub(super) unsafe fn trim(start: *mut u8, layout: Layout) -> Option<NonNull<u8>> {
        let head = layout.align() - start.addr() % layout.align();
        let tail = layout.align() - head;
        // SAFETY: head, range and tail make up the caller's mapping (1). If the kernel refuses to unmap,
        // untouched addresses stay reserved, which does no harm.
        unsafe {
            let base = start.add(head);
            libc::munmap(start.cast(), head);
            if tail != 0 {
                libc::munmap(base.add(layout.size()).cast(), tail);
            }
            NonNull::new(base)
        }
    }

    /// Advises the system to back a range by huge pages, or not to.
    pub(crate) fn wish_huge(start: NonNull<u8>, bytes: usize, wish: bool) {
        let advice = if wish { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // SAFETY: this advice changes no contents. A kernel without huge pages, or one whose list of mappings
        // is full, refuses it, which does no harm.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, advice) };
    }

    /// Makes a mapped range resident, with huge pages if that is wished, and changes no contents. A kernel older
    /// than 5.14 can't.
    pub(crate) fn populate(start: NonNull<u8>, bytes: usize) -> Populated {
        // SAFETY: this advice changes no contents.
        if unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_POPULATE_WRITE) } == 0 {
            return Populated::Yes;
        }
        let cannot = io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
        if cannot { Populated::Never } else { Populated::NotNow }
    }

    /// Gives the memory of a range back to the system. The range stays mapped and reads as zeros. Returns
    /// `false` and changes nothing if the system does not take it (for example, memory locked by `mlockall`).
    ///
    /// # Safety
    ///
    /// 1. The range is the caller's, and made of whole pages of the system.
    /// 2. Nobody relies on its contents, and all accesses to it at the same time are atomic.
    pub(crate) unsafe fn give_back(start: NonNull<u8>, bytes: usize) -> bool {
        // SAFETY: the caller's 1 and 2.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) == 0 }
    }

    /// # Safety
    ///
    /// 1. [`map`](super::map) returned `start` for this layout, and nobody accesses the memory from now on.
    pub(crate) unsafe fn unmap(start: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's 1. If the kernel has no room to note the hole, the memory stays mapped.
        unsafe { libc::munmap(start.as_ptr().cast(), layout.size()) };
    }
}

/// Elsewhere: the global allocator, which keeps the memory until it is unmapped.
#[cfg(any(not(target_os = "linux"), miri, flow_table_loom, flow_table_portable))]
mod system {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    use super::Populated;

    pub(crate) const GIVES_BACK: bool = false;

    pub(super) fn map(layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc_zeroed(layout) })
    }

    pub(crate) fn wish_huge(_start: NonNull<u8>, _bytes: usize, _wish: bool) {}

    pub(crate) fn populate(_start: NonNull<u8>, _bytes: usize) -> Populated {
        Populated::Never
    }

    /// # Safety
    ///
    /// None needed here: the memory stays as it is.
    pub(crate) unsafe fn give_back(_start: NonNull<u8>, _bytes: usize) -> bool {
        false
    }

    /// # Safety
    ///
    /// 1. [`map`](super::map) returned `start` for this layout, and nobody accesses the memory from now on.
    pub(crate) unsafe fn unmap(start: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's 1.
        unsafe { dealloc(start.as_ptr(), layout) }
    }
}

#[cfg(all(test, target_os = "linux", not(any(miri, flow_table_loom, flow_table_shuttle, flow_table_portable))))]
mod tests {
    use super::*;
    use crate::memory::tests::process::{addresses, is_alone};

    /// Recent kernels align mappings of this size by themselves, so the test chooses where they start.
    #[test]
    fn addresses_of_the_process_around_an_aligned_range_are_given_back() {
        if !is_alone(concat!(module_path!(), "::addresses_of_the_process_around_an_aligned_range_are_given_back"))
        {
            return;
        }
        const SIZE: usize = 2 << 20;
        let layout = Layout::from_size_align(SIZE, SIZE).unwrap();
        // What the test itself needs is there from then on.
        addresses();
        for quarter in 0..4 {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: the mapping is new. What is trimmed lies in it, and the range within that is the test's
            // to access.
            unsafe {
                let start = libc::mmap(std::ptr::null_mut(), 3 * SIZE, protection, flags, -1, 0);
                assert_ne!(start, libc::MAP_FAILED);
                let before = addresses();
                let start = start.cast::<u8>().add(quarter * SIZE / 4);
                let range = system::trim(start, layout).unwrap();
                assert_eq!(before - addresses(), SIZE, "{quarter} quarters from an aligned one");
                assert_eq!(range.addr().get() % SIZE, 0);
                range.write(1);
                range.add(SIZE - 1).write(1);
            }
        }
    }
}
