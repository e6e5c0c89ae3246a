use std::ptr::NonNull;

use super::bucket::Bucket;
use super::segment::BucketSource;
use crate::ids::EntryIndex;
use crate::memory::{AllocError, Line, LineAllocator, PagePool};
use crate::sync::Mutex;

/// For so many pages of arrays, one that is free is kept: few, as arrays are seldom replaced. What is left over when many have
/// doubled would otherwise be as much as a quarter.
const IN_USE_PER_FREE: usize = 8;

/// Where the arrays of all segments come from. Its lock is taken under a shard's, for resizing only.
pub(crate) struct Arrays {
    pool: PagePool,
    lines: Mutex<LineAllocator>,
}

impl Arrays {
    pub(crate) fn new() -> Self {
        Self {
            pool: PagePool::new(1 << EntryIndex::PAGE_BITS, IN_USE_PER_FREE),
            lines: Mutex::new(LineAllocator::new()),
        }
    }

    pub(crate) fn pool(&self) -> &PagePool {
        &self.pool
    }

    /// Bytes of the arrays, free ones in reserve included, and of their account.
    pub(crate) fn memory(&self) -> usize {
        self.pool.resident() + self.lines.lock().memory()
    }
}

impl BucketSource for Arrays {
    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError> {
        // SAFETY: (1) the allocator is only ever used with this pool; (2) which serves nothing else. Lines of zeros are empty
        // buckets.
        unsafe { self.lines.lock().alloc(&self.pool, log2) }.map(NonNull::cast)
    }

    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32) {
        // SAFETY: (1), (2) and (3) are the caller's.
        unsafe { self.lines.lock().free(&self.pool, array.cast::<Line>(), log2) };
    }
}
