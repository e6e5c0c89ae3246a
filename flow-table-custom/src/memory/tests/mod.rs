//! Tests of the pool and of the line allocator, and what they share.

mod model;
pub(super) mod process;
mod system;

use std::ptr::NonNull;

use proptest::prelude::ProptestConfig;

use super::*;
use crate::sync::{AtomicU64, Ordering};

/// Fewer cases under Miri, which has no files either.
pub(super) fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig::with_cases(cases);
    if cfg!(miri) {
        config.cases = (cases / 32).max(2);
        config.failure_persistence = None;
    }
    config
}

/// The first and the last word of `bytes` bytes from `start`.
///
/// # Safety
///
/// The memory is live for `'m`, and accessed atomically only, except for reads.
unsafe fn ends<'m>(start: NonNull<u8>, bytes: usize) -> [&'m AtomicU64; 2] {
    // SAFETY: the caller vouches for the memory; all zeros are an `AtomicU64`.
    [0, bytes - 8].map(|at| unsafe { start.add(at).cast::<AtomicU64>().as_ref() })
}

/// Both ends of a page that the pool has returned.
fn page_ends(pool: &PagePool, page: u32) -> [&AtomicU64; 2] {
    // SAFETY: the page exists while the pool lives, and the tests access pages through these two words only.
    unsafe { ends(pool.address(PageId::new(page), 0), PAGE_BYTES) }
}

fn store(ends: [&AtomicU64; 2], value: u64) {
    ends.iter().for_each(|word| word.store(value, Ordering::Relaxed));
}

fn load(ends: [&AtomicU64; 2]) -> [u64; 2] {
    ends.map(|word| word.load(Ordering::Relaxed))
}
