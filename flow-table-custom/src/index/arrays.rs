//! The memory of the segments' arrays.

use std::ptr::NonNull;

use super::bucket::Bucket;
use super::segment::BucketSource;
use crate::memory::{AllocError, Line, LineArrays, PagePool};

/// The most pages of arrays: 4 GiB, or 8,192 runs of the eight pages that the longest array takes. There are at
/// most some 2,100 arrays: one for each segment, and one more for each shard that replaces one. Each of them
/// makes at most one of these runs unusable for the others.
const MAX_PAGES: u32 = 1 << 16;

/// One free page of arrays is kept for so many pages in use. That is few, because arrays are seldom replaced.
/// Otherwise, when many arrays have doubled, up to a quarter of the memory would be left over.
const IN_USE_PER_FREE: usize = 8;

/// The source of the arrays of all segments. Its locks are taken under a shard's lock, and for resizing only.
pub(crate) struct Arrays {
    lines: LineArrays,
    least: u32,
}

impl Arrays {
    /// No array is shorter than 2^`least` buckets.
    pub(crate) fn new(least: u32) -> Self {
        Self { lines: LineArrays::new(MAX_PAGES, IN_USE_PER_FREE), least }
    }

    /// Keeps memory for so many of the shortest arrays resident for ever. There are no arrays yet.
    ///
    /// # Errors
    ///
    /// The system has no memory. What it has given is kept.
    pub(crate) fn keep(&self, arrays: usize) -> Result<(), AllocError> {
        self.lines.keep(arrays, self.least)
    }

    pub(crate) fn pool(&self) -> &PagePool {
        self.lines.pool()
    }

    /// Bytes of the arrays, including free ones in reserve, and of their bookkeeping.
    pub(crate) fn memory(&self) -> usize {
        self.lines.memory()
    }
}

impl BucketSource for Arrays {
    fn least(&self) -> u32 {
        self.least
    }

    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError> {
        // Lines of zeros are empty buckets.
        self.lines.alloc(log2).map(NonNull::cast)
    }

    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32) {
        // SAFETY: (1), (2) and (3) are the caller's.
        unsafe { self.lines.free(array.cast::<Line>(), log2) };
    }
}
