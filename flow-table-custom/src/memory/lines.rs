//! Arrays of cache lines, split from pages and merged again by the buddy method.
//!
//! # Ground rules
//!
//! 1. Free lines are all zeros: new pages are, whoever frees an array zeroes it first, and giving back keeps it so. An array
//!    is therefore all zeros when it is handed out, and nobody has to clear it.
//! 2. The allocator itself never writes to lines; what is free stands beside them.
//! 3. Readers may still look at an array that was freed, with atomic loads. They see zeros, or the lines of its next users.

use std::ptr::NonNull;

use super::buddies::Buddies;
use super::chunk::MAX_RUN_LOG2;
use super::{AllocError, PAGE_BYTES, PageId, PagePool, try_box, try_reserve};

/// A cache line's worth of memory and alignment, to be cast to what it holds.
#[repr(C, align(64))]
pub(crate) struct Line {
    _words: [u64; 8],
}

/// log2 of the lines in a page; arrays below it share a page.
pub(super) const PAGE_CLASS: u32 = (PAGE_BYTES / size_of::<Line>()).ilog2();

/// log2 of the lines in the longest array, 2 MiB.
pub(crate) const MAX_LINES_LOG2: u32 = PAGE_CLASS + MAX_RUN_LOG2;

/// Arrays of lines, 2^k lines each and aligned to their size. Freeing needs no memory.
///
/// Dropped, it leaves what it holds to the pool, to go with it.
pub(crate) struct LineAllocator {
    /// Ordered by address.
    taken: Vec<Taken>,
}

/// A page or run taken from the pool.
struct Taken {
    address: usize,
    page: PageId,
    /// What is free of a page that arrays share.
    shared: Option<Box<Buddies>>,
}

impl LineAllocator {
    /// An allocator that holds nothing yet.
    pub(crate) const fn new() -> Self {
        Self { taken: Vec::new() }
    }

    /// Allocates an array of `1 << log2` lines, all zeros; `log2` is at most [`MAX_LINES_LOG2`].
    ///
    /// # Errors
    ///
    /// The pool has no page or run for it, or there is no memory to keep account of it.
    ///
    /// # Safety
    ///
    /// 1. All calls to this allocator are given the same pool.
    /// 2. The pool serves line allocators only (else its free memory is not zeros).
    pub(crate) unsafe fn alloc(&mut self, pool: &PagePool, log2: u32) -> Result<NonNull<Line>, AllocError> {
        debug_assert!(log2 <= MAX_LINES_LOG2);
        let (page, line) = match self.take_free(log2) {
            Some(block) => block,
            None => (self.take_page(pool, log2)?, 0),
        };
        // SAFETY: by the caller's 1, this pool has returned the page, to this allocator; the line lies in it.
        let array = unsafe { pool.address(page).cast::<Line>().add(line) };
        // SAFETY: the array is allocated, and nobody else has it now.
        debug_assert!(unsafe { is_zero(array, log2) }, "written after it was freed");
        Ok(array)
    }

    /// Bytes on the heap, for the account of what is free.
    pub(crate) fn memory(&self) -> usize {
        let shared = self.taken.iter().filter(|taken| taken.shared.is_some()).count();
        self.taken.capacity() * size_of::<Taken>() + shared * size_of::<Buddies>()
    }

    /// Takes a block of the smallest class that has one large enough, from the lowest page.
    fn take_free(&mut self, log2: u32) -> Option<(PageId, usize)> {
        let shared = self.taken.iter_mut().filter_map(|taken| Some((taken.page, taken.shared.as_mut()?)));
        let roomy = shared.filter_map(|(page, shared)| Some((shared.smallest_from(log2)?, page, shared)));
        let (class, page, shared) = roomy.min_by_key(|&(class, page, _)| (class, page))?;
        Some((page, shared.take(class, log2)))
    }

    /// Takes a page whose first lines are for an array, or a run that is one.
    fn take_page(&mut self, pool: &PagePool, log2: u32) -> Result<PageId, AllocError> {
        try_reserve(&mut self.taken, 1)?;
        let mut shared = if log2 < PAGE_CLASS { Some(try_box(Buddies::new())?) } else { None };
        let page = pool.alloc(log2.saturating_sub(PAGE_CLASS))?.id;
        if let Some(shared) = &mut shared {
            shared.put(0, PAGE_CLASS);
            shared.take(PAGE_CLASS, log2);
        }
        // SAFETY: the pool has just returned the page.
        let address = unsafe { pool.address(page) }.addr().get();
        let at = self.taken.partition_point(|taken| taken.address < address);
        self.taken.insert(at, Taken { address, page, shared });
        Ok(page)
    }

    /// Frees an array, merges it with its free buddies, and returns what becomes a whole page, or is a run, to the pool.
    ///
    /// # Safety
    ///
    /// 1. [`alloc`](Self::alloc) of this allocator returned the array for this `log2` and this pool, and it was not freed since.
    /// 2. All its lines are zero, and nobody writes to them any more.
    /// 3. The zeroing, and other threads' last writes, happen before this call.
    pub(crate) unsafe fn free(&mut self, pool: &PagePool, array: NonNull<Line>, log2: u32) {
        // SAFETY: the array is allocated (caller's 1) and nobody writes to it (2).
        debug_assert!(unsafe { is_zero(array, log2) }, "freed with contents");
        let address = array.addr().get();
        let line = address % PAGE_BYTES / size_of::<Line>();
        let at = self.taken.partition_point(|taken| taken.address <= address) - 1;
        if self.taken[at].shared.as_mut().is_none_or(|shared| shared.put(line, log2)) {
            let page = self.taken.remove(at).page;
            // SAFETY: (1) all parts of the page or run are free now, and this allocator forgets it; (2) by the caller's 2.
            unsafe { pool.free(page, log2.saturating_sub(PAGE_CLASS), 0) };
        }
    }
}

/// Whether all lines of an array are zero.
///
/// # Safety
///
/// The array lies in a live pool, and nobody writes to it.
unsafe fn is_zero(array: NonNull<Line>, log2: u32) -> bool {
    let (words, len) = (array.cast::<u64>(), (size_of::<Line>() / 8) << log2);
    // SAFETY: the caller vouches for the array; all its bytes have values, as they were zeroed at first.
    (0..len).all(|word| unsafe { words.add(word).read() } == 0)
}

#[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn small_arrays_share_a_page_and_leave_nothing_behind() {
        let pool = PagePool::new(2, 2);
        let mut lines = LineAllocator::new();
        // SAFETY: it is always this pool, and the pool serves nobody else.
        let arrays = [0, 3, 0, 9, 0].map(|log2| (unsafe { lines.alloc(&pool, log2) }.unwrap(), log2));
        let page = arrays[0].0;
        // SAFETY: only distances are computed, within the page.
        let at = arrays.map(|(array, _)| unsafe { array.offset_from(page) });
        assert_eq!(at, [0, 8, 1, 512, 2]);
        for (array, log2) in arrays {
            // SAFETY: it was allocated with this size, and never written.
            unsafe { lines.free(&pool, array, log2) };
        }
        assert!(lines.taken.is_empty());
    }

    /// Each page that arrays share has its own account, those that one array fills have none.
    #[test]
    fn memory_is_the_list_of_pages_and_the_accounts_of_shared_ones() {
        let pool = PagePool::new(64, 2);
        let mut lines = LineAllocator::new();
        assert_eq!(lines.memory(), 0);
        let half = PAGE_CLASS - 1;
        for (log2, shared) in [(0, 1), (half, 1), (half, 2), (half + 1, 2), (half + 2, 2)] {
            // SAFETY: it is always this pool, and the pool serves nobody else.
            assert!(unsafe { lines.alloc(&pool, log2) }.is_ok());
            let list = lines.taken.capacity() * size_of::<Taken>();
            assert_eq!(lines.memory() - list, shared * size_of::<Buddies>());
        }
    }

    #[test]
    fn an_array_is_zero_if_all_its_words_are() {
        let pool = PagePool::new(1, 2);
        // SAFETY: the pool serves this allocator only.
        let array = unsafe { LineAllocator::new().alloc(&pool, 2) }.unwrap();
        for word in 0..32 {
            // SAFETY: the four lines are the test's own, which looks at two of them.
            let zero = unsafe {
                array.cast::<u64>().add(word).write(1);
                let zero = is_zero(array, 1);
                array.cast::<u64>().add(word).write(0);
                zero
            };
            assert_eq!(zero, word >= 16, "word {word}");
        }
    }
}
