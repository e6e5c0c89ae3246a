use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A list that only grows. Its items stay where they are, so they are read without a lock.
///
/// Item `i` is in chunk `log2(i + 1)`; each chunk has room for twice as many as the one before.
pub(crate) struct List<T> {
    chunks: [OnceLock<Chunk<T>>; CHUNKS],
    len: AtomicUsize,
}

/// Room for 8,191 items.
const CHUNKS: usize = 13;

type Chunk<T> = Box<[OnceLock<T>]>;

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], len: AtomicUsize::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        // Acquire: pairs with the Release in `push`.
        self.len.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let chunk = (index + 1).ilog2() as usize;
        self.chunks.get(chunk)?.get()?[index + 1 - (1 << chunk)].get()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Appends what `make` returns for its index, and returns where it is. One thread at a time.
    pub(crate) fn push(&self, make: impl FnOnce(usize) -> T) -> &T {
        let index = self.len();
        let chunk = (index + 1).ilog2() as usize;
        let new_chunk = || (0..1 << chunk).map(|_| OnceLock::new()).collect();
        let place = &self.chunks[chunk].get_or_init(new_chunk)[index + 1 - (1 << chunk)];
        let item = place.get_or_init(|| make(index));
        // Release: pairs with the Acquire in `len`.
        self.len.store(index + 1, Ordering::Release);
        item
    }

    /// Bytes that the list has allocated.
    pub(crate) fn memory(&self) -> usize {
        self.chunks.iter().filter_map(OnceLock::get).map(|chunk| size_of_val(&**chunk)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_where_they_were_put() {
        let list = List::new();
        let first = std::ptr::from_ref(list.push(|index| index));
        (1..100).for_each(|_| assert!(list.get(*list.push(|index| index)).is_some()));
        assert!(list.iter().copied().eq(0..100));
        assert_eq!((list.len(), list.get(100)), (100, None));
        assert!(list.get(0).is_some_and(|item| std::ptr::eq(item, first)));
        assert_eq!(list.memory(), 127 * size_of::<OnceLock<usize>>());
    }
}
