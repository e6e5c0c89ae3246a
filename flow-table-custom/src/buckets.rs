use std::ptr::NonNull;

use crate::bucket::Bucket;
use crate::index::EntryIndex;
use crate::memory::{AllocError, Line, LineAllocator, PagePool};
use crate::segment::BucketSource;
use crate::sync::Mutex;

/// Where the arrays of all segments come from. Its lock is taken under a shard's, for resizing only.
pub(crate) struct Buckets {
    pool: PagePool,
    lines: Mutex<LineAllocator>,
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self { pool: PagePool::new(1 << EntryIndex::PAGE_BITS), lines: Mutex::new(LineAllocator::new()) }
    }

    pub(crate) fn pool(&self) -> &PagePool {
        &self.pool
    }
}

impl BucketSource for Buckets {
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
