//! What the results were measured on.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What the results were measured on. Fields that the system does not report are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) processor: String,
    /// Processors that this process may use.
    pub(crate) processors: usize,
    /// The size of the last-level cache.
    pub(crate) cache: String,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    /// Whether huge pages are given to all memory, to memory that asks, or to none.
    pub(crate) huge_pages: String,
    /// How many processes ran or wanted to, on average over the last minute, when measuring began.
    pub(crate) load: String,
    /// Whether the machine is a virtual one.
    pub(crate) virtual_machine: bool,
    pub(crate) compiler: String,
    pub(crate) target: String,
    pub(crate) allocator: String,
    pub(crate) hasher: String,
    pub(crate) commit: String,
    /// The cost of one reading of the clock, in nanoseconds.
    pub(crate) clock_ns: u64,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let huge_pages = line("/sys/kernel/mm/transparent_hugepage/enabled");
        Self {
            processor: field(&cpuinfo, "model name"),
            processors: available_parallelism().map_or(1, usize::from),
            cache: line("/sys/devices/system/cpu/cpu0/cache/index3/size"),
            memory: field(&meminfo, "MemTotal"),
            kernel: format!("{} {}", line("/proc/sys/kernel/ostype"), line("/proc/sys/kernel/osrelease")),
            huge_pages: between(&huge_pages, '[', ']').to_owned(),
            load: line("/proc/loadavg").split(' ').next().unwrap_or_default().into(),
            virtual_machine: field(&cpuinfo, "flags").split(' ').any(|flag| flag == "hypervisor"),
            compiler: env!("FLOW_TABLE_COMPILER").into(),
            target: env!("FLOW_TABLE_TARGET").into(),
            allocator: "the system's (Rust's default)".into(),
            hasher: "foldhash, quality variant, for everybody".into(),
            commit: commit().unwrap_or_default(),
            clock_ns: clock_ns(),
        }
    }
}

/// The value of a line `name: value`.
fn field(text: &str, name: &str) -> String {
    let value =
        |line: &str| line.strip_prefix(name)?.trim_start().strip_prefix(':').map(|value| value.trim().into());
    text.lines().find_map(value).unwrap_or_default()
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().into()
}

fn between(text: &str, open: char, close: char) -> &str {
    let inner = text.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    inner.map_or(text, |(inner, _)| inner)
}

/// The commit that is checked out, with a mark if something was changed since.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?.trim().to_owned();
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", "*.rs", "*.toml"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}, with changes") })
}

fn clock_ns() -> u64 {
    const READINGS: u32 = 100_000;
    let start = Instant::now();
    for _ in 0..READINGS {
        black_box(Instant::now());
    }
    u64::try_from((start.elapsed() / READINGS).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = "MemTotal:  24 kB\nMemFree: 1 kB\nmodel name\t: A: B\n";
        assert_eq!(field(text, "MemTotal"), "24 kB");
        assert_eq!(field(text, "model name"), "A: B");
        assert_eq!(field(text, "Mem"), "");
        assert_eq!(between("always [madvise] never", '[', ']'), "madvise");
    }
}
