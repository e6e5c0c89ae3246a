//! Instruction counts, if they were taken.

use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

/// What `benches/instructions.sh` has printed, in the directory of a record.
const FILE: &str = "instructions.md";

pub(super) fn write(text: &mut String, directory: &Path) -> fmt::Result {
    match fs::read_to_string(directory.join(FILE)) {
        Ok(counts) => write!(text, "{EXPLANATION}\n{}\n", counts.trim_end()),
        Err(_) => writeln!(text, "Not counted: there is no `{FILE}` in the record."),
    }
}

const EXPLANATION: &str = "\
Counted by callgrind (`benches/instructions.sh`), so they are the same on a noisy machine: fixed hash seed and
keys, one thread, 16,384 flows. They say what code does, not how long it takes: a locked instruction counts as one,
and so does a read that misses every cache. `reap_one` is a reap that finds one flow due.
";
