use std::ptr::NonNull;

use super::bucket::Bucket;
use super::segment::BucketSource;
use crate::memory::{AllocError, Line, LineArrays, PagePool};

/// Pages of arrays, at most: 4 GiB, or 8,192 runs of the eight pages that the longest array has. Each of some
/// 2,100 arrays, one for a segment and another while a shard replaces one, keeps one of these runs from the
/// others at most.
const MAX_PAGES: u32 = 1 << 16;

/// For so many pages of arrays, one that is free is kept: few, as arrays are seldom replaced. What is left over
/// when many have doubled would otherwise be as much as a quarter.
const IN_USE_PER_FREE: usize = 8;

/// Where the arrays of all segments come from. Its locks are taken under a shard's, for resizing only.
pub(crate) struct Arrays(LineArrays);

impl Arrays {
    pub(crate) fn new() -> Self {
        Self(LineArrays::new(MAX_PAGES, IN_USE_PER_FREE))
    }

    pub(crate) fn pool(&self) -> &PagePool {
        self.0.pool()
    }

    /// Bytes of the arrays, free ones in reserve included, and of their account.
    pub(crate) fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl BucketSource for Arrays {
    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError> {
        // Lines of zeros are empty buckets.
        self.0.alloc(log2).map(NonNull::cast)
    }

    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32) {
        // SAFETY: (1), (2) and (3) are the caller's.
        unsafe { self.0.free(array.cast::<Line>(), log2) };
    }
}
