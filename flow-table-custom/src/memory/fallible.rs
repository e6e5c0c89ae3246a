//! Growth that can be refused: an error, where the collections of the standard library end the process.

/// There is no memory: a limit is reached, or the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AllocError;

/// Makes room for `additional` more elements. On error the list is as it was.
#[inline]
pub(crate) fn try_reserve<T>(list: &mut Vec<T>, additional: usize) -> Result<(), AllocError> {
    if list.capacity() - list.len() >= additional { Ok(()) } else { grow(list, additional) }
}

#[cold]
#[inline(never)]
fn grow<T>(list: &mut Vec<T>, additional: usize) -> Result<(), AllocError> {
    permit()?;
    list.try_reserve(additional).map_err(|_| AllocError)
}

/// Gives back what is beyond room for `capacity` elements, or for those that there are if they are more. A list
/// that shrinks moves; without memory to move to, it stays.
pub(crate) fn shrink_to<T>(list: &mut Vec<T>, capacity: usize) {
    let (capacity, mut smaller) = (capacity.max(list.len()), Vec::new());
    if list.capacity() > capacity && permit().is_ok() && smaller.try_reserve_exact(capacity).is_ok() {
        smaller.append(list);
        *list = smaller;
    }
}

/// Moves `value` to the heap.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>, AllocError> {
    permit()?;
    let mut list = Vec::new();
    list.try_reserve_exact(1).map_err(|_| AllocError)?;
    list.push(value);
    // SAFETY: a slice of one `T` has the layout of a `T`.
    Ok(unsafe { Box::from_raw(Box::into_raw(list.into_boxed_slice()).cast()) })
}

/// Whether memory may be asked for: always, except in tests that refuse it.
#[cfg(not(test))]
#[inline]
pub(crate) fn permit() -> Result<(), AllocError> {
    Ok(())
}

#[cfg(test)]
pub(crate) use refusing::permit;

/// Tests in which there is no memory from the n-th request on.
#[cfg(test)]
pub(crate) mod refusing {
    use std::cell::Cell;

    use super::AllocError;

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
        static REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn permit() -> Result<(), AllocError> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => {
                REFUSED.set(true);
                Err(AllocError)
            }
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }

    /// Runs `body`, on this thread, with memory for the first `requests` only; and whether those were enough.
    pub(crate) fn after<R>(requests: usize, body: impl FnOnce() -> R) -> (R, bool) {
        LEFT.set(Some(requests));
        REFUSED.set(false);
        let result = body();
        LEFT.set(None);
        (result, !REFUSED.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_left_nothing_behind() {
        let mut list = vec![1, 2, 3];
        list.shrink_to_fit();
        let (reserved, enough) = refusing::after(0, || try_reserve(&mut list, 1));
        assert_eq!((reserved, enough, list.capacity()), (Err(AllocError), false, 3));
        assert_eq!(try_reserve(&mut list, usize::MAX / 8), Err(AllocError), "the allocator's own refusal");
        assert_eq!(try_reserve(&mut list, 1), Ok(()));
        assert!(list.capacity() > 3);
        let room = list.capacity();
        assert_eq!(refusing::after(0, || shrink_to(&mut list, 0)), ((), false));
        assert_eq!((list.len(), list.capacity()), (3, room));
        shrink_to(&mut list, 0);
        assert_eq!((&*list, list.capacity()), (&[1, 2, 3][..], 3));
        assert_eq!(refusing::after(0, || shrink_to(&mut list, 3)), ((), true), "moved for nothing");
        assert_eq!(refusing::after(0, || try_box(7)).0, Err(AllocError));
        assert_eq!(try_box(7), Ok(Box::new(7)));
    }
}
