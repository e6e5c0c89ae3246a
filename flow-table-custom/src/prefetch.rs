//! Prefetching: a hint to the processor to load memory before it is used, where Rust offers one.

/// Starts loading the cache line of `target`.
#[inline]
pub(crate) fn read<T>(target: *const T) {
    #[cfg(all(target_arch = "x86_64", not(any(miri, flow_table_portable))))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint: it faults on no address and reads nothing that the program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(target.cast()) };
    }
    #[cfg(any(not(target_arch = "x86_64"), miri, flow_table_portable))]
    let _ = target;
}
