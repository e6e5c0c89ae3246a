//! What the system reports about memory. The functions return `None` if it does not.

use std::fs;

/// The resident size of this process, in bytes.
pub fn resident_bytes() -> Option<u64> {
    bytes("/proc/self/status", "VmRSS:")
}

/// The memory that is available without swapping, in bytes.
pub fn available_bytes() -> Option<u64> {
    bytes("/proc/meminfo", "MemAvailable:")
}

/// The value of a line `name: 24 kB`.
fn bytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
