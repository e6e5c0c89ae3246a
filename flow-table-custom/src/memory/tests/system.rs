//! Limits, threads, and what the system gets back.

use std::process::Command;

use super::*;

#[test]
fn a_pool_without_pages_refuses() {
    assert_eq!(PagePool::new(0, 2).alloc(0), Err(AllocError));
    let pool = PagePool::new(33, 2);
    assert!(pool.alloc(5).is_ok());
    assert_eq!(pool.alloc(1), Err(AllocError), "one page is left, in a chunk of its own");
    assert!(pool.alloc(0).is_ok());
    assert_eq!(pool.alloc(0), Err(AllocError));
}

/// While others are in use, one wholly free chunk is kept, the lower one; given back, pages read as zeros, and what was
/// kept of them remains.
#[test]
#[cfg_attr(any(not(target_os = "linux"), miri), ignore = "memory goes back on Linux only")]
fn what_is_given_back_reads_as_zeros() {
    let pool = PagePool::new(256, 2);
    let chunks = [0, 32, 64].map(|first| {
        assert_eq!(pool.alloc(5), Ok(Page { id: PageId::new(first), kept: 0 }));
        store(page_ends(&pool, first), 7);
        first
    });
    let in_use = [96, 128].map(|first| {
        assert_eq!(pool.alloc(5).map(|page| page.id), Ok(PageId::new(first)));
        PageId::new(first)
    });
    for (keep, chunk) in (10..).zip(chunks.into_iter().rev()) {
        // SAFETY: the run is in use, and never written again.
        unsafe { pool.free(PageId::new(chunk), 5, keep) };
        assert_eq!(load(page_ends(&pool, chunk))[0], 7, "the lowest free chunk keeps its memory");
    }
    assert_eq!(chunks.map(|chunk| load(page_ends(&pool, chunk))[0]), [7, 0, 0]);
    assert_eq!(pool.resident(), 3 * 32 * PAGE_BYTES);
    for page in in_use {
        // SAFETY: the run is in use, and never written again.
        unsafe { pool.free(page, 5, 0) };
    }
    assert_eq!((load(page_ends(&pool, 0))[0], pool.resident()), (0, 0), "an empty pool keeps nothing");
    assert_eq!([12, 11, 10].map(|kept| pool.alloc(5).map(|page| page.kept) == Ok(kept)), [true; 3]);
}

/// Threads that take pages, hand their numbers on, and read pages of others through them.
#[test]
fn threads_share_a_pool() {
    let rounds = if cfg!(miri) { 8 } else { 2_000 };
    let pool = PagePool::new(64, 2);
    let board = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 1..=3_u64 {
            let (pool, board) = (&pool, &board);
            scope.spawn(move || {
                for round in 0..rounds {
                    let log2 = (thread + round) as u32 % 3;
                    let Ok(page) = pool.alloc(log2) else { panic!("21 pages for each") };
                    store(page_ends(pool, page.id.get()), thread);
                    let seen = board.swap(u64::from(page.id.get()) + 1, Ordering::AcqRel);
                    if seen != 0 {
                        let values = load(page_ends(pool, seen as u32 - 1));
                        assert!(values.iter().all(|&value| value <= 3), "{values:?}");
                    }
                    assert_eq!(load(page_ends(pool, page.id.get())), [thread; 2], "somebody else has the page");
                    // SAFETY: the run is in use by this thread, which only reads it from here on.
                    unsafe { pool.free(page.id, log2, 0) };
                }
            });
        }
    });
    pool.purge();
    assert!(!os::GIVES_BACK || pool.resident() == 0);
}

/// In a process of its own: other tests would use memory, or give some back, meanwhile.
#[test]
#[cfg_attr(any(not(target_os = "linux"), miri), ignore = "memory goes back on Linux only")]
fn resident_size_of_the_process_shrinks() {
    const ALONE: &str = "FLOW_TABLE_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let test = concat!(module_path!(), "::resident_size_of_the_process_shrinks");
        let (_, test) = test.split_once("::").expect("the crate comes first");
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let output = alone.args([test, "--exact"]).env(ALONE, "").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    const MIB: usize = 1 << 20;
    let process = || flow_table_conformance::resident().unwrap();
    let pool = PagePool::new(4096, 2);
    let before = process();
    let pages: Vec<_> = (0..4096).map(|_| pool.alloc(0).unwrap().id).collect();
    for &page in &pages {
        // SAFETY: the page was just allocated, and nobody else has it.
        unsafe { pool.address(page).write_bytes(1, PAGE_BYTES) };
    }
    assert_eq!(pool.resident(), 256 * MIB);
    assert!(process() > before + 192 * MIB);
    for &page in &pages[8..] {
        // SAFETY: the page is in use, and never written again.
        unsafe { pool.free(page, 0, 0) };
    }
    assert!(pool.resident() <= 12 * PAGE_BYTES);
    assert!(process() < before + 128 * MIB);
}
