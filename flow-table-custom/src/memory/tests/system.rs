//! Limits, threads, and what the system gets back.

use super::*;
use crate::memory::inventory::Inventory;

#[test]
fn a_pool_without_pages_left_refuses() {
    let pool = PagePool::new(1, 33, 2);
    assert!(pool.alloc(0, 5).is_ok());
    assert_eq!(pool.alloc(0, 1), Err(AllocError), "one page is left, in a chunk of its own");
    assert!(pool.alloc(0, 0).is_ok());
    assert_eq!(pool.alloc(0, 0), Err(AllocError));
}

/// While others are in use, one wholly free chunk is kept, the lower one. Given back, pages read as zeros.
#[test]
#[cfg_attr(any(not(target_os = "linux"), miri, flow_table_portable), ignore = "memory goes back on Linux only")]
fn what_is_given_back_reads_as_zeros() {
    let pool = PagePool::new(1, 256, 2);
    let chunks = [0, 32, 64].map(|first| {
        assert_eq!(pool.alloc(0, 5), Ok(PageId::new(first)));
        store(page_ends(&pool, first), 7);
        first
    });
    let in_use = [96, 128].map(|first| {
        assert_eq!(pool.alloc(0, 5), Ok(PageId::new(first)));
        PageId::new(first)
    });
    for chunk in chunks.into_iter().rev() {
        // SAFETY: the run is in use, and never written again.
        unsafe { pool.free(PageId::new(chunk), 5) };
        assert_eq!(load(page_ends(&pool, chunk))[0], 7, "the lowest free chunk keeps its memory");
    }
    assert_eq!(chunks.map(|chunk| load(page_ends(&pool, chunk))[0]), [7, 0, 0]);
    assert_eq!(pool.resident(), 3 * 32 * PAGE_BYTES);
    for page in in_use {
        // SAFETY: the run is in use, and never written again.
        unsafe { pool.free(page, 5) };
    }
    assert_eq!((load(page_ends(&pool, 0))[0], pool.resident()), (0, 0), "an empty pool keeps nothing");
    assert_eq!([(); 3].map(|()| pool.alloc(0, 5)), chunks.map(|first| Ok(PageId::new(first))));
}

/// Frees pages one by one.
fn free_each(pool: &PagePool, pages: impl IntoIterator<Item = u32>) {
    for page in pages {
        // SAFETY: the tests free pages in use, once, and write to none after that.
        unsafe { pool.free(PageId::new(page), 0) };
    }
}

/// A pool of two chunks with so many pages in use.
fn pool_with(pages: usize) -> PagePool {
    let pool = PagePool::new(1, 64, 2);
    assert!((0..pages).all(|_| pool.alloc(0, 0).is_ok()));
    pool
}

/// Pages that are in use or dirty.
fn resident(pool: &PagePool) -> usize {
    pool.resident() / PAGE_BYTES
}

/// Whoever takes a page waits for that page only.
#[test]
fn pages_in_use_are_resident_and_no_others() {
    assert_eq!([1, 32, 33, 64].map(|pages| resident(&pool_with(pages))), [1, 32, 33, 64]);
}

/// Takes so many pages, and lets a reap make a chunk ready after each.
fn take(pool: &PagePool, pages: usize) {
    for _ in 0..pages {
        pool.alloc(0, 0).unwrap();
        pool.make_ready();
    }
}

/// Small tables stay small. The last chunk is not made ready.
#[test]
#[cfg_attr(
    any(not(target_os = "linux"), miri, flow_table_portable),
    ignore = "memory is made ready on Linux only"
)]
fn the_next_chunk_is_made_ready_once_half_of_the_last_one_is_in_use() {
    let pool = PagePool::new(1, 6 * 32, 2);
    let mut resident_after = |pages| {
        take(&pool, pages);
        resident(&pool)
    };
    assert_eq!([95, 1, 1].map(&mut resident_after), [95, 128, 128], "from 96 on");
    assert_eq!([14, 1, 1].map(&mut resident_after), [128, 160, 160], "16 of the fourth one are in use");
    assert_eq!([31, 1].map(&mut resident_after), [160, 160], "the sixth is the last one");
}

#[test]
#[cfg_attr(
    any(not(target_os = "linux"), miri, flow_table_portable),
    ignore = "memory is made ready on Linux only"
)]
fn a_chunk_that_was_given_back_is_made_ready_before_others() {
    let pool = PagePool::new(1, 256, 2);
    assert!((0..256).all(|_| pool.alloc(0, 0).is_ok()));
    free_each(&pool, 64..96);
    free_each(&pool, 128..160);
    pool.purge();
    assert_eq!(resident(&pool), 6 * 32);
    assert_eq!(pool.alloc(0, 0), Ok(PageId::new(64)));
    pool.make_ready();
    assert_eq!(resident(&pool), 6 * 32 + 1, "the one in use is not used up");
    take(&pool, 15);
    assert_eq!(resident(&pool), 6 * 32 + 16 + 32);
    assert_eq!(load(page_ends(&pool, 128)), [0; 2]);
    pool.purge();
    assert_eq!(resident(&pool), 6 * 32 + 16, "it goes back on request");
}

/// Traffic that comes and goes does not have the system take memory and give it again and again.
#[test]
#[cfg_attr(
    any(not(target_os = "linux"), miri, flow_table_portable),
    ignore = "memory is made ready on Linux only"
)]
fn what_was_made_ready_stays_until_a_third_of_the_pages_are_free() {
    let pool = PagePool::new(1, 256, 2);
    take(&pool, 96);
    for come_and_go in 1..=32 {
        free_each(&pool, 96 - come_and_go..96);
        assert!(resident(&pool) >= 96, "32 are ready, and {come_and_go} are free");
        take(&pool, come_and_go as usize);
        assert_eq!(resident(&pool), 128);
    }
    free_each(&pool, 63..96);
    assert_eq!(resident(&pool), 64, "one is free");
}

/// Four chunks, of which three are in use: the fourth one is to be made ready.
fn three_of_four() -> Inventory {
    let mut inventory = Inventory::new(512, 2);
    (0..4).for_each(|_| _ = inventory.add_chunk(false).unwrap());
    assert_eq!([0, 1, 2].map(|_| inventory.take(5)), [0, 1, 2].map(|number| Some((number, 0))));
    inventory
}

/// While one thread makes a chunk ready, others take pages, free them, and would make the next one ready.
#[test]
fn one_chunk_is_made_ready_at_a_time_and_what_is_in_use_by_then_counts() {
    let mut inventory = three_of_four();
    assert_eq!(inventory.next_cold(), Some(3));
    let base = inventory.take_to_populate(3);
    assert_eq!((inventory.take(0), inventory.next_cold()), (None, None), "it has gone, and there is no other");
    assert_ne!(chunk::Chunk::populate(base), os::Populated::NotNow);
    for number in 0..3 {
        // SAFETY: each was taken, and is freed once. Nobody reads it.
        unsafe { inventory.put(number, 0, 5) };
    }
    inventory.put_populated(3, os::Populated::Yes);
    assert!(!os::GIVES_BACK || inventory.resident() == 0, "{} pages", inventory.resident());
}

/// Without memory, what the system has given in part goes back. It is asked again, unless it can't.
#[test]
fn a_chunk_that_could_not_be_made_ready_is_clean() {
    for (populated, again) in [(os::Populated::NotNow, Some(3)), (os::Populated::Never, None)] {
        let mut inventory = three_of_four();
        inventory.take_to_populate(3);
        inventory.put_populated(3, populated);
        if os::GIVES_BACK {
            assert_eq!((inventory.resident(), inventory.next_cold()), (96, again));
        }
    }
}

/// Whatever comes and goes, and whoever asks for memory back.
#[test]
fn what_is_kept_stays() {
    let pool = PagePool::new(1, 256, 2);
    pool.keep(0, 33).unwrap();
    assert_eq!(resident(&pool), 64, "whole chunks");
    for _ in 0..2 {
        let pages: Vec<_> = (0..256).map(|_| pool.alloc(0, 0).unwrap().get()).collect();
        assert_eq!(resident(&pool), 256);
        free_each(&pool, pages.into_iter().rev());
        pool.purge();
        assert!(!os::GIVES_BACK || resident(&pool) == 64);
    }
    assert_eq!(pool.alloc(0, 0), Ok(PageId::new(0)));
    pool.make_ready();
    assert!(!os::GIVES_BACK || resident(&pool) == 64, "there is nothing to make ready");
    assert_eq!(PagePool::new(1, 33, 2).keep(0, usize::MAX), Ok(()), "no more than there may be");
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), miri, flow_table_portable), ignore = "memory goes back on Linux only")]
fn free_pages_stay_while_they_are_few_beside_those_in_use() {
    let pool = pool_with(64);
    free_each(&pool, std::iter::once(0).chain(44..64));
    assert_eq!(resident(&pool), 64, "21 are free beside 43");
    free_each(&pool, [43]);
    assert_eq!(resident(&pool), 43, "one more: the chunk that has most of them gives its back");
    pool.purge();
    assert_eq!(resident(&pool), 42);

    let pool = pool_with(5);
    free_each(&pool, [4, 3]);
    assert_eq!(resident(&pool), 5, "two may always stay");
    free_each(&pool, [2]);
    assert_eq!(resident(&pool), 2);
}

/// Locked memory, for one: it counts as resident, and holds what it held.
#[test]
#[cfg(all(target_os = "linux", not(any(miri, flow_table_portable))))]
fn what_the_system_will_not_take_back_stays() {
    let pool = pool_with(5);
    let first = page_ends(&pool, 0);
    store(first, 7);
    let address = first[0].as_ptr().cast();
    // SAFETY: locking changes no contents.
    if unsafe { libc::mlock(address, 8) } != 0 {
        eprintln!("SKIPPED: this process may not lock memory");
        return;
    }
    free_each(&pool, 0..4);
    assert_eq!((resident(&pool), load(first)), (5, [7; 2]));
    pool.purge();
    assert_eq!((resident(&pool), load(first)), (5, [7; 2]));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::munlock(address, 8) }, 0);
    pool.purge();
    assert_eq!(resident(&pool), 5, "the system is not asked again");
    assert_eq!(pool.alloc(0, 0), Ok(PageId::new(0)));
    assert_eq!(load(first), [7; 2]);
}

/// Threads that take pages, hand their numbers on, and read pages of others through them.
/// A page of one kind is never used for another one, though it was free in between.
#[test]
fn kinds_are_kept_apart() {
    let pool = PagePool::new(2, 64, 2);
    let first = PageId::new(0);
    assert_eq!([pool.alloc(0, 0), pool.alloc(1, 0)], [Ok(first), Ok(PageId::new(64))]);
    // SAFETY: nobody uses the page.
    unsafe { pool.free(first, 0) };
    assert_eq!([pool.alloc(1, 0), pool.alloc(0, 0)], [Ok(PageId::new(65)), Ok(first)]);
    assert!((2..64).all(|page| pool.alloc(1, 0) == Ok(PageId::new(64 + page))));
    assert_eq!(pool.alloc(1, 0), Err(AllocError), "that kind has no more");
    assert!(pool.alloc(0, 0).is_ok());
}

#[test]
fn threads_share_a_pool() {
    let rounds = if cfg!(miri) { 8 } else { 2_000 };
    let pool = PagePool::new(1, 64, 2);
    let board = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let run = |thread: u64| {
            let (pool, board) = (&pool, &board);
            scope.spawn(move || {
                for round in 0..rounds {
                    let log2 = (thread + round) as u32 % 3;
                    let Ok(page) = pool.alloc(0, log2) else { panic!("21 pages for each") };
                    store(page_ends(pool, page.get()), thread);
                    let seen = board.swap(u64::from(page.get()) + 1, Ordering::AcqRel);
                    if seen != 0 {
                        let values = load(page_ends(pool, seen as u32 - 1));
                        assert!(values.iter().all(|&value| value <= 3), "{values:?}");
                    }
                    assert_eq!(load(page_ends(pool, page.get())), [thread; 2], "somebody else has the page");
                    // SAFETY: the run is in use by this thread, which only reads it from here on.
                    unsafe { pool.free(page, log2) };
                }
            })
        };
        let threads = [1, 2, 3].map(run);
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
    pool.purge();
    assert!(!os::GIVES_BACK || pool.resident() == 0);
}
