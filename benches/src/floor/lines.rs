//! Cache lines in memory of a chosen page size.

use std::marker::PhantomData;
use std::sync::atomic::AtomicU64;

/// What huge pages are aligned to.
const HUGE_PAGE: usize = 2 << 20;

/// Eight words of a cache line.
pub(super) type Words = [AtomicU64; 8];

#[derive(Default)]
#[repr(align(64))]
struct Line(Words);

/// The size of pages that memory should consist of. This is a hint to the system, and only on Linux.
pub trait PageSize: Send + Sync + 'static {
    /// Whether pages should be huge.
    const HUGE: bool;
}

/// Pages of 2 MiB.
pub struct HugePages;
/// Pages of 4 KiB.
pub struct SmallPages;

impl PageSize for HugePages {
    const HUGE: bool = true;
}

impl PageSize for SmallPages {
    const HUGE: bool = false;
}

/// Zeroed cache lines.
pub(super) struct Lines<P> {
    memory: Vec<Line>,
    first: usize,
    pages: PhantomData<P>,
}

impl<P: PageSize> Lines<P> {
    pub(super) fn new(count: usize) -> Self {
        let mut memory: Vec<Line> = Vec::with_capacity(count + HUGE_PAGE / size_of::<Line>());
        let first = memory.as_ptr().align_offset(HUGE_PAGE);
        // Before the memory is touched, or it has its pages already.
        advise(memory.as_mut_ptr().wrapping_add(first), count, P::HUGE);
        memory.resize_with(first + count, Line::default);
        Self { memory, first, pages: PhantomData }
    }

    #[inline]
    pub(super) fn line(&self, number: usize) -> &Words {
        &self.memory[self.first + number].0
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn advise(start: *mut Line, count: usize, huge: bool) {
    let advice = if huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
    // SAFETY: this advice changes how memory is backed, never what it contains, whatever lies in the range; if
    // nothing is mapped there or the system has no huge pages, the call fails and does nothing.
    unsafe { libc::madvise(start.cast(), count * size_of::<Line>(), advice) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: *mut Line, _: usize, _: bool) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn lines_are_whole_lines_and_apart() {
        let lines = Lines::<HugePages>::new(100);
        assert!((0..100).all(|line| std::ptr::from_ref(lines.line(line)).addr().is_multiple_of(64)));
        (0..100).for_each(|line| lines.line(line)[7].store(line as u64, Ordering::Relaxed));
        assert!((0..100).all(|line| lines.line(line)[7].load(Ordering::Relaxed) == line as u64));
    }
}
