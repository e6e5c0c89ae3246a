use std::ptr::NonNull;

use crate::bucket::Bucket;
use crate::memory::{AllocError, Arrays, Line};
use crate::segment::BucketSource;

/// Pages of arrays, at most: 4 GiB, 8,192 runs of the eight pages that the longest array has. Each of some 2,100 arrays, one for
/// a segment and another while a shard replaces one, keeps one of these runs from the others at most.
const MAX_PAGES: u32 = 1 << 16;

/// For so many pages of arrays, one that is free is kept: few, as arrays are seldom replaced. What has doubled does not come back
/// to its former size soon.
const IN_USE_PER_FREE: usize = 32;

/// Where the arrays of all segments come from. Its locks are taken under a shard's, for resizing only.
pub(crate) fn bucket_arrays() -> Arrays {
    Arrays::new(MAX_PAGES, IN_USE_PER_FREE)
}

impl BucketSource for Arrays {
    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError> {
        // Lines of zeros are empty buckets.
        Self::alloc(self, log2).map(NonNull::cast)
    }

    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32) {
        // SAFETY: (1), (2) and (3) are the caller's.
        unsafe { Self::free(self, array.cast::<Line>(), log2) };
    }
}
