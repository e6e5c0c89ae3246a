//! What the system says of memory. Where it does not tell, the answer is `None`.

use std::fs;

/// Bytes in which this process resides.
pub fn resident_bytes() -> Option<u64> {
    bytes("/proc/self/status", "VmRSS:")
}

/// Bytes that processes can still have without swapping.
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
