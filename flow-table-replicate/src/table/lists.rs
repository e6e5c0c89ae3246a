//! Lists of results, filled by the inner table and handed on as the outer one's.

use std::mem;

/// Fills `list` with what `fill` finds. The allocation is the same throughout: an iterator over a vector that is
/// collected again keeps it if the elements have the same layout, as they do here.
#[inline]
pub fn through<Inner, Outer>(
    list: &mut Vec<Option<Outer>>,
    fill: impl FnOnce(&mut Vec<Option<Inner>>),
    outer: impl Fn(Inner) -> Outer,
) {
    list.clear();
    let mut inner: Vec<Option<Inner>> = mem::take(list).into_iter().filter_map(|_| None).collect();
    fill(&mut inner);
    *list = inner.into_iter().map(|found| found.map(&outer)).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocation_is_kept() {
        struct Outer(Box<u32>);
        let mut list: Vec<Option<Outer>> = Vec::with_capacity(9);
        let place = list.as_ptr();
        through(&mut list, |inner| inner.extend([Some(Box::new(1)), None]), Outer);
        assert_eq!(
            list.iter().map(|found| found.as_ref().map(|Outer(n)| **n)).collect::<Vec<_>>(),
            [Some(1), None]
        );
        assert_eq!((list.as_ptr(), list.capacity()), (place, 9));
    }
}
