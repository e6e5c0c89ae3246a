//! Arrays of cache lines. Short arrays share pages, which are split and merged by the buddy method. Longer
//! arrays are pages or runs of pages.
//!
//! Pages with arrays of one size each would need less code, and as much memory on average. But while all
//! segments grow, pages of the former size would stay for the last few arrays in them, which costs up to an
//! eighth more memory. The pages that are freed in the end would lie scattered among those that stay, so that
//! huge pages would be split.
//!
//! # Ground rules
//!
//! 1. Free lines are all zeros. New pages are, an array is zeroed before it is freed, and memory that is given
//!    back stays zero. So an array is all zeros when it is handed out, and need not be cleared.
//! 2. The allocator itself never writes to lines. It keeps its account beside them.
//! 3. Readers may still look at a freed array, with atomic loads. They see zeros, or what its next users write.

use std::ptr::NonNull;

use super::buddies::{Buddies, LINE_BYTES, PAGE_CLASS};
use super::chunk::{MAX_RUN_LOG2, PAGE_BYTES};
use super::{AllocError, PageId, PagePool, shrink_to, try_box, try_reserve};
use crate::sync::Mutex;

/// A cache line's worth of memory and alignment, to be cast to what it holds.
#[repr(C, align(64))]
pub(crate) struct Line {
    _words: [u64; 8],
}

const _: () = assert!(size_of::<Line>() == LINE_BYTES);

/// log2 of the lines in the longest array, 2 MiB.
pub(super) const MAX_LINES_LOG2: u32 = PAGE_CLASS + MAX_RUN_LOG2;

/// Arrays of 2^k lines each, aligned to their size. Freeing needs no memory.
pub(crate) struct LineArrays {
    pool: PagePool,
    /// The shared pages, ordered by their numbers.
    shared: Mutex<Vec<SharedPage>>,
}

impl LineArrays {
    /// Makes a source of arrays in at most `max_pages` pages. One free page is kept for each `in_use_per_free`
    /// in use.
    pub(crate) fn new(max_pages: u32, in_use_per_free: usize) -> Self {
        Self { pool: PagePool::new(1, max_pages, in_use_per_free), shared: Mutex::new(Vec::new()) }
    }

    /// The pool of the pages.
    pub(crate) fn pool(&self) -> &PagePool {
        &self.pool
    }

    /// Keeps memory for `arrays` arrays of `1 << log2` lines resident for ever. There are no arrays yet.
    ///
    /// # Errors
    ///
    /// As those of [`PagePool::keep`].
    pub(crate) fn keep(&self, arrays: usize, log2: u32) -> Result<(), AllocError> {
        self.pool.keep(0, (arrays << log2).div_ceil(1 << PAGE_CLASS))
    }

    /// Bytes of the arrays, including free ones in reserve, and of their bookkeeping.
    pub(crate) fn memory(&self) -> usize {
        let shared = self.shared.lock();
        let account = shared.capacity() * size_of::<SharedPage>() + shared.len() * size_of::<Buddies>();
        self.pool.resident() + account
    }

    /// Allocates an array of `1 << log2` lines, all zeros; `log2` is at most [`MAX_LINES_LOG2`].
    ///
    /// # Errors
    ///
    /// The pool has no page or run for it, or there is no memory for its bookkeeping.
    pub(crate) fn alloc(&self, log2: u32) -> Result<NonNull<Line>, AllocError> {
        debug_assert!(log2 <= MAX_LINES_LOG2);
        let (page, line) = match log2.checked_sub(PAGE_CLASS) {
            Some(run_log2) => (self.pool.alloc(0, run_log2)?, 0),
            None => self.take_part(log2)?,
        };
        // SAFETY: the pool has returned the page, and all that was shared of it was under the lock; the line
        // lies in it.
        let array = unsafe { self.pool.address(page, line * size_of::<Line>()).cast::<Line>() };
        // SAFETY: the array is allocated, and nobody else has it now.
        debug_assert!(unsafe { is_zero(array, log2) }, "written after it was freed");
        Ok(array)
    }

    /// Takes a part of a shared page, or of a new one, and returns its first line. It takes the smallest part
    /// that is large enough, in the lowest page that has one.
    fn take_part(&self, log2: u32) -> Result<(PageId, usize), AllocError> {
        let mut shared = self.shared.lock();
        let roomy = shared.iter().enumerate();
        let roomy = roomy.filter_map(|(at, page)| Some((page.free.smallest_from(log2)?, at)));
        let (class, at) = match roomy.min() {
            Some(smallest) => smallest,
            None => {
                try_reserve(&mut shared, 1)?;
                let mut free = try_box(Buddies::new())?;
                free.put(0, PAGE_CLASS);
                let id = self.pool.alloc(0, 0)?;
                let at = shared.partition_point(|page| page.id < id);
                shared.insert(at, SharedPage { id, free });
                (PAGE_CLASS, at)
            }
        };
        let SharedPage { id, free } = &mut shared[at];
        Ok((*id, free.take(class, log2)))
    }

    /// Frees an array, and returns its page or pages to the pool unless others share them.
    ///
    /// # Safety
    ///
    /// 1. [`alloc`](Self::alloc) returned the array for this `log2`, and it was not freed since.
    /// 2. All its lines are zero, and nobody writes to them any more.
    /// 3. The zeroing, and other threads' last writes, happen before this call.
    pub(crate) unsafe fn free(&self, array: NonNull<Line>, log2: u32) {
        // SAFETY: the array is allocated (caller's 1) and nobody writes to it (2).
        debug_assert!(unsafe { is_zero(array, log2) }, "freed with contents");
        let address = array.addr().get();
        let id = self.pool.page_at(address);
        if log2 < PAGE_CLASS {
            let mut shared = self.shared.lock();
            let at = shared.partition_point(|page| page.id < id);
            if !shared[at].free.put(address % PAGE_BYTES / size_of::<Line>(), log2) {
                return;
            }
            shared.remove(at);
            if shared.capacity() > 64 + 4 * shared.len() {
                let twice = 2 * shared.len();
                shrink_to(&mut shared, twice);
            }
        }
        // SAFETY: (1) all parts of the page or run are free now, and it is forgotten here; (2) by the caller's 2.
        unsafe { self.pool.free(id, log2.saturating_sub(PAGE_CLASS)) };
    }
}

/// A page that arrays share, and its free blocks.
struct SharedPage {
    id: PageId,
    free: Box<Buddies>,
}

/// Returns `true` if all lines of an array are zero.
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
    use crate::memory::refusing;

    fn alloc(arrays: &LineArrays, log2: u32) -> (NonNull<Line>, u32) {
        (arrays.alloc(log2).expect("there is memory"), log2)
    }

    fn free(arrays: &LineArrays, (array, log2): (NonNull<Line>, u32)) {
        // SAFETY: it was allocated with this size, and never written.
        unsafe { arrays.free(array, log2) };
    }

    #[test]
    fn short_arrays_share_pages_and_leave_nothing_behind() {
        let arrays = LineArrays::new(3, 2);
        let held = [0, 3, 0, 9, 9, 0, 10].map(|log2| alloc(&arrays, log2));
        let page = held[0].0.addr().get();
        let lines = held.map(|(array, _)| (array.addr().get() - page) / size_of::<Line>());
        assert_eq!(lines, [0, 8, 1, 512, 1024, 2, 2048]);
        free(&arrays, held[2]);
        assert_eq!(alloc(&arrays, 0), held[2], "the lowest");
        assert_eq!(arrays.pool.alloc(0, 0), Err(AllocError));
        held.into_iter().for_each(|array| free(&arrays, array));
        assert!(arrays.shared.lock().is_empty());
        assert_eq!([(); 3].map(|()| arrays.pool.alloc(0, 0)), [0, 1, 2].map(|id| Ok(PageId::new(id))));
    }

    /// There is bookkeeping for pages that arrays share, not for pages that one array fills. Its size follows
    /// their number.
    #[test]
    fn memory_is_the_pages_and_the_list_of_shared_ones() {
        let arrays = LineArrays::new(256, 2);
        assert_eq!(arrays.memory(), 0);
        let account = || arrays.memory() - arrays.pool.resident();
        let half = PAGE_CLASS - 1;
        let mut held = vec![alloc(&arrays, half + 1), alloc(&arrays, half + 2)];
        assert_eq!(account(), 0);
        held.extend((0..256).map(|_| alloc(&arrays, half)));
        assert!(account() >= 128 * (size_of::<SharedPage>() + size_of::<Buddies>()));
        held.drain(..).for_each(|array| free(&arrays, array));
        assert!(account() <= 64 * size_of::<SharedPage>());
    }

    #[test]
    fn an_array_that_finds_no_memory_takes_no_page() {
        let arrays = LineArrays::new(1, 2);
        for requests in 0..3 {
            assert_eq!(
                refusing::after(requests, || arrays.alloc(0)),
                (Err(AllocError), false),
                "{requests} requests"
            );
            assert!(arrays.shared.lock().is_empty());
        }
        assert_eq!(arrays.alloc(PAGE_CLASS + 1), Err(AllocError), "there is one page");
        let last = alloc(&arrays, PAGE_CLASS);
        assert_eq!(arrays.alloc(0), Err(AllocError), "it is taken");
        free(&arrays, last);
        alloc(&arrays, 0);
    }

    #[test]
    fn an_array_is_zero_if_all_its_words_are() {
        let arrays = LineArrays::new(1, 2);
        let (array, _) = alloc(&arrays, 2);
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
