//! The system's figures about the process. Each test runs in a process of its own, because other tests would
//! use memory, or give some back, at the same time.

use std::fs;
use std::process::Command;

use super::*;

const MIB: usize = 1 << 20;

/// Whether this is a process for the named test alone; otherwise that one is run, and must pass.
pub(in crate::memory) fn is_alone(test: &str) -> bool {
    const ALONE: &str = "FLOW_TABLE_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let (_, test) = test.split_once("::").expect("the crate comes first");
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args([test, "--exact"]).env(ALONE, "").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    false
}

/// The system's figure of this name about the process, in bytes.
fn told(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let kibibytes = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    kibibytes.unwrap().parse::<usize>().unwrap() * 1024
}

/// Bytes of addresses in use, with or without memory behind them.
pub(in crate::memory) fn addresses() -> usize {
    told("VmSize:")
}

#[test]
#[cfg_attr(any(not(target_os = "linux"), miri, flow_table_portable), ignore = "memory goes back on Linux only")]
fn resident_size_of_the_process_shrinks() {
    if !is_alone(concat!(module_path!(), "::resident_size_of_the_process_shrinks")) {
        return;
    }
    let process = || told("VmRSS:");
    let pool = PagePool::new(1, 4096, 2);
    let before = process();
    let pages: Vec<_> = (0..4096).map(|_| pool.alloc(0, 0).unwrap()).collect();
    for &page in &pages {
        // SAFETY: the page was just allocated, and nobody else has it.
        unsafe { pool.address(page, 0).write_bytes(1, PAGE_BYTES) };
    }
    assert_eq!(pool.resident(), 256 * MIB);
    assert!(process() > before + 192 * MIB);
    for &page in &pages[8..] {
        // SAFETY: the page is in use, and never written again.
        unsafe { pool.free(page, 0) };
    }
    assert!(pool.resident() <= 12 * PAGE_BYTES);
    assert!(process() < before + 128 * MIB);
}

/// Chunks and mapped values take no more than they need, and leave nothing behind.
#[test]
#[cfg_attr(any(not(target_os = "linux"), miri, flow_table_portable), ignore = "Linux tells it")]
fn addresses_of_the_process_are_those_in_use() {
    if !is_alone(concat!(module_path!(), "::addresses_of_the_process_are_those_in_use")) {
        return;
    }
    // What the test itself needs is there from then on.
    drop((addresses(), Mapped::new([0u8; 9000]).unwrap()));
    let before = addresses();
    let chunks = [(); 3].map(|()| chunk::Chunk::new(chunk::PAGES, false).unwrap());
    assert_eq!(addresses() - before, 3 * chunk::CHUNK_BYTES);
    let mapped = Mapped::new([0u8; 9000]).unwrap();
    assert!(addresses() - before >= 3 * chunk::CHUNK_BYTES + 9000);
    drop(mapped);
    assert_eq!(addresses() - before, 3 * chunk::CHUNK_BYTES);
    drop(chunks);
    assert_eq!(addresses(), before);
}
