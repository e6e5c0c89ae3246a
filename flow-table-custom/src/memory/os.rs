//! Chunks of zeroed memory from the system.
//!
//! # Ground rules
//!
//! 1. A [`Chunk`] alone owns its range, from [`Chunk::new`] until it is dropped.
//! 2. Its address is exposed: pointers may be rebuilt from addresses with `with_exposed_provenance`.
//! 3. [`Chunk::give_back`] changes contents behind the compiler's back, to zeros; only atomic accesses may meet it.

use std::ops::Range;
use std::ptr::NonNull;

use super::fallible::{AllocError, permit};

/// Bytes of a chunk, and its alignment: the huge page of x86-64 and of AArch64 with small pages of 4 KiB.
pub(super) const CHUNK_BYTES: usize = 2 << 20;

/// Whether [`Chunk::give_back`] can do anything on this system.
pub(super) const GIVES_BACK: bool = system::GIVES_BACK;

/// 2 MiB of memory, zeroed at first.
pub(super) struct Chunk {
    base: NonNull<u8>,
    huge: bool,
}

// SAFETY: the chunk owns its memory (rule 1), and nothing about it belongs to a thread.
unsafe impl Send for Chunk {}

impl Chunk {
    /// Maps a chunk; with `huge`, asks for it to be backed by a huge page.
    ///
    /// # Errors
    ///
    /// The system has no memory or no addresses left.
    pub(super) fn new(huge: bool) -> Result<Self, AllocError> {
        permit()?;
        let base = system::map().ok_or(AllocError)?;
        debug_assert!(base.addr().get().is_multiple_of(CHUNK_BYTES));
        base.as_ptr().expose_provenance();
        let chunk = Self { base, huge };
        chunk.wish_huge(true);
        Ok(chunk)
    }

    /// Whether the system is to back the chunk by a huge page, if it was asked for one. While parts of the chunk are given back it must
    /// not: it would make all of it resident again as soon as one page is in use.
    pub(super) fn wish_huge(&self, wish: bool) {
        if self.huge {
            system::advise_huge(self.base, wish);
        }
    }

    /// The first byte.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Gives the memory behind `bytes` back to the system; the range stays mapped and reads as zeros. Returns false,
    /// and leaves everything as it is, if the system cannot or will not (memory locked by `mlockall`, for one).
    ///
    /// # Safety
    ///
    /// 1. `bytes` lies in the chunk, at multiples of the page pool's page size.
    /// 2. Nobody relies on what the range holds, and whoever accesses it meanwhile does so atomically.
    pub(super) unsafe fn give_back(&self, bytes: Range<usize>) -> bool {
        debug_assert!(bytes.start <= bytes.end && bytes.end <= CHUNK_BYTES);
        debug_assert!(
            bytes.start.is_multiple_of(super::PAGE_BYTES) && bytes.end.is_multiple_of(super::PAGE_BYTES)
        );
        // SAFETY: the range is ours (caller's 1) and its contents are not needed (caller's 2).
        unsafe { system::give_back(self.base.add(bytes.start), bytes.len()) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: `base` came from `map`, and by rule 1 this is the only time that it is unmapped.
        unsafe { system::unmap(self.base) }
    }
}

/// Linux: anonymous mappings.
#[cfg(all(target_os = "linux", not(miri), not(flow_table_loom)))]
mod system {
    use super::CHUNK_BYTES;
    use std::ptr::{NonNull, null_mut};

    pub(super) const GIVES_BACK: bool = true;

    const MAPPED: usize = 2 * CHUNK_BYTES;

    /// Maps twice the size and keeps the highest aligned chunk in it. The kernel maps downwards, so the next chunk ends
    /// where this one starts, and neighbours share one entry of the kernel's list of mappings.
    pub(super) fn map() -> Option<NonNull<u8>> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe { libc::mmap(null_mut(), MAPPED, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the mapping is new, and nobody else knows it.
        unsafe { trim(start.cast()) }
    }

    /// Unmaps all but the highest aligned chunk.
    ///
    /// # Safety
    ///
    /// `MAPPED` bytes from `start` on are mapped, and the caller's to unmap.
    pub(super) unsafe fn trim(start: *mut u8) -> Option<NonNull<u8>> {
        let head = CHUNK_BYTES - start.addr() % CHUNK_BYTES;
        let tail = CHUNK_BYTES - head;
        // SAFETY: head, chunk and tail make up the caller's mapping. Should the kernel refuse to unmap, untouched addresses
        // stay reserved, and that is all.
        unsafe {
            let base = start.add(head);
            libc::munmap(start.cast(), head);
            if tail != 0 {
                libc::munmap(base.add(CHUNK_BYTES).cast(), tail);
            }
            NonNull::new(base)
        }
    }

    pub(super) fn advise_huge(base: NonNull<u8>, wish: bool) {
        let advice = if wish { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // SAFETY: this advice changes no contents. A kernel without huge pages, or one whose list of mappings is full, refuses it,
        // which does no harm.
        unsafe { libc::madvise(base.as_ptr().cast(), CHUNK_BYTES, advice) };
    }

    /// # Safety
    ///
    /// 1. The range is part of one chunk.
    /// 2. Its contents are not needed, and only atomic accesses meet the change.
    pub(super) unsafe fn give_back(start: NonNull<u8>, bytes: usize) -> bool {
        // SAFETY: the caller's 1 and 2.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) == 0 }
    }

    /// # Safety
    ///
    /// `base` came from `map`, and nobody accesses the chunk from now on.
    pub(super) unsafe fn unmap(base: NonNull<u8>) {
        // SAFETY: the whole chunk is ours to unmap.
        let unmapped = unsafe { libc::munmap(base.as_ptr().cast(), CHUNK_BYTES) };
        debug_assert_eq!(unmapped, 0, "munmap of a chunk");
    }
}

/// Elsewhere: the global allocator, which keeps the memory until the chunk goes.
#[cfg(not(all(target_os = "linux", not(miri), not(flow_table_loom))))]
mod system {
    use super::CHUNK_BYTES;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    pub(super) const GIVES_BACK: bool = false;

    const LAYOUT: Layout = match Layout::from_size_align(CHUNK_BYTES, CHUNK_BYTES) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    pub(super) fn map() -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc_zeroed(LAYOUT) })
    }

    pub(super) fn advise_huge(_base: NonNull<u8>, _wish: bool) {}

    /// # Safety
    ///
    /// None needed here: the memory stays as it is.
    pub(super) unsafe fn give_back(_start: NonNull<u8>, _bytes: usize) -> bool {
        false
    }

    /// # Safety
    ///
    /// `base` came from `map`, and nobody accesses the chunk from now on.
    pub(super) unsafe fn unmap(base: NonNull<u8>) {
        // SAFETY: `map` allocated it with this layout.
        unsafe { dealloc(base.as_ptr(), LAYOUT) }
    }
}

#[cfg(all(test, target_os = "linux", not(any(miri, flow_table_loom, flow_table_shuttle))))]
mod tests {
    use super::*;
    use crate::memory::tests::process::{addresses, is_alone};

    /// Recent kernels align mappings of this size by themselves, so the test chooses where they start.
    #[test]
    fn addresses_of_the_process_around_a_chunk_are_given_back() {
        if !is_alone(concat!(module_path!(), "::addresses_of_the_process_around_a_chunk_are_given_back")) {
            return;
        }
        // What the test itself needs is there from then on.
        addresses();
        for quarter in 0..4 {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: the mapping is new. What is trimmed lies in it, and the chunk within that is the test's to access.
            unsafe {
                let start = libc::mmap(std::ptr::null_mut(), 3 * CHUNK_BYTES, protection, flags, -1, 0);
                assert_ne!(start, libc::MAP_FAILED);
                let before = addresses();
                let start = start.cast::<u8>().add(quarter * CHUNK_BYTES / 4);
                let chunk = system::trim(start).unwrap();
                assert_eq!(before - addresses(), CHUNK_BYTES, "{quarter} quarters from a chunk");
                assert_eq!(chunk.addr().get() % CHUNK_BYTES, 0);
                chunk.write(1);
                chunk.add(CHUNK_BYTES - 1).write(1);
            }
        }
    }
}
