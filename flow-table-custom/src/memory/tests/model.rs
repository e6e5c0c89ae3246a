//! The allocators against models of them, under random sequences.

use std::collections::BTreeMap;
use std::ptr::NonNull;

use proptest::prelude::*;

use super::*;
use crate::memory::lines::MAX_LINES_LOG2;

#[derive(Clone, Debug)]
enum Op {
    Alloc(u32),
    /// Free one of the runs in use.
    Free(prop::sample::Index),
    Purge,
}

fn ops(classes: impl Strategy<Value = u32> + 'static) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => classes.prop_map(Op::Alloc),
        5 => any::<prop::sample::Index>().prop_map(Op::Free),
        1 => Just(Op::Purge),
    ];
    prop::collection::vec(op, 1..if cfg!(miri) { 40 } else { 400 })
}

fn nth<V: Copy>(held: &BTreeMap<usize, V>, index: prop::sample::Index) -> Option<(usize, V)> {
    (!held.is_empty()).then(|| held.iter().nth(index.index(held.len())).map(|(&at, &held)| (at, held)))?
}

fn in_use(used: &[bool]) -> usize {
    used.iter().filter(|&&used| used).count()
}

proptest! {
    #![proptest_config(config(96))]

    /// Seven chunks and a part of one, two of them and the part huge.
    #[test]
    fn pool_agrees_with_its_model(ops in ops(prop_oneof![3 => 0u32..2, 1 => 0u32..6])) {
        const PAGES: usize = 200;
        let pool = PagePool::new(1, PAGES as u32, 2);
        let mut used = [false; PAGES];
        let mut runs = BTreeMap::new();
        for (stamp, op) in (1_u64..).zip(ops) {
            match op {
                Op::Alloc(log2) => {
                    let len = 1 << log2;
                    let is_free = |first: &usize| !used[*first..][..len].contains(&true);
                    let lowest = (0..PAGES / len).map(|run| run * len).find(is_free);
                    let expected = lowest.map(|first| PageId::new(first as u32)).ok_or(AllocError);
                    prop_assert_eq!(pool.alloc(0, log2), expected);
                    if let Some(first) = lowest {
                        used[first..][..len].fill(true);
                        runs.insert(first, (log2, stamp));
                        let address = |page| page_ends(&pool, page as u32)[0].as_ptr().addr();
                        prop_assert_eq!(address(first) % (PAGE_BYTES << log2), 0);
                        for page in first..first + len {
                            prop_assert_eq!(address(page), address(first) + (page - first) * PAGE_BYTES);
                            store(page_ends(&pool, page as u32), stamp);
                        }
                    }
                }
                Op::Free(index) => {
                    let Some((first, (log2, stamp))) = nth(&runs, index) else { continue };
                    runs.remove(&first);
                    for page in first..first + (1 << log2) {
                        prop_assert_eq!(load(page_ends(&pool, page as u32)), [stamp; 2], "page {}", page);
                    }
                    used[first..][..1 << log2].fill(false);
                    // SAFETY: the run is in use, and never written again.
                    unsafe { pool.free(PageId::new(first as u32), log2) };
                    let (pages, resident) = (in_use(&used), pool.resident() / PAGE_BYTES);
                    let most = if os::GIVES_BACK { pages + (pages / 2).max(32) } else { PAGES };
                    prop_assert!((pages..=most).contains(&resident), "{} in use, {} resident", pages, resident);
                }
                Op::Purge => {
                    pool.purge();
                    if os::GIVES_BACK {
                        prop_assert_eq!(pool.resident(), in_use(&used) * PAGE_BYTES);
                    }
                }
            }
        }
    }

    /// Arrays of all sizes neither overlap nor hold anything at first. When all are freed, all pages are.
    #[test]
    fn arrays_agree_with_their_model(
        ops in ops(prop_oneof![8 => 0u32..6, 4 => 6u32..11, 1 => 11..=MAX_LINES_LOG2])
    ) {
        let arrays = LineArrays::new(96, 2);
        let mut held = BTreeMap::new();
        let bytes = |log2: u32| size_of::<Line>() << log2;
        for (stamp, op) in (1_u64..).zip(ops) {
            match op {
                Op::Alloc(log2) => {
                    let Ok(array) = arrays.alloc(log2) else {
                        let resident = arrays.pool().resident();
                        prop_assert!(log2 >= 10 || resident == 96 * PAGE_BYTES, "refused with pages left");
                        continue;
                    };
                    let start = array.addr().get();
                    prop_assert_eq!(start % bytes(log2), 0, "not aligned to its size");
                    if let Some((&below, &(array, log2, _))) = held.range(..start + bytes(log2)).next_back() {
                        let _: NonNull<Line> = array;
                        prop_assert!(below + bytes(log2) <= start, "overlap");
                    }
                    // SAFETY: the array is live, and the test accesses it through these two words only.
                    let ends = unsafe { ends(array.cast(), bytes(log2)) };
                    prop_assert_eq!(load(ends), [0; 2]);
                    store(ends, stamp);
                    held.insert(start, (array, log2, stamp));
                }
                Op::Free(index) => {
                    let Some((start, (array, log2, stamp))) = nth(&held, index) else { continue };
                    held.remove(&start);
                    // SAFETY: as above.
                    let ends = unsafe { ends(array.cast(), bytes(log2)) };
                    prop_assert_eq!(load(ends), [stamp; 2]);
                    store(ends, 0);
                    // SAFETY: it was allocated with this size, and its two used words are zero again.
                    unsafe { arrays.free(array, log2) };
                }
                Op::Purge => arrays.pool().purge(),
            }
        }
        for (array, log2, _) in held.into_values() {
            // SAFETY: as above.
            unsafe {
                store(ends(array.cast(), bytes(log2)), 0);
                arrays.free(array, log2);
            }
        }
        for chunk in 0..3 {
            prop_assert_eq!(arrays.pool().alloc(0, 5), Ok(PageId::new(32 * chunk)), "not all pages came back");
        }
    }
}
