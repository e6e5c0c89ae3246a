//! Growing tables, each in a process of its own.

use std::env;
use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flow_table_benches::Candidate;
use flow_table_benches::grow::{Growth, grow};

/// In the process that was started for it: fills one table and prints what was measured.
pub(crate) fn here(candidate: Candidate, flows: usize, out: &mut impl Write) -> Result<()> {
    serde_json::to_writer(&mut *out, &grow(candidate, flows))?;
    writeln!(out)?;
    Ok(())
}

/// Starts that process.
pub(crate) fn in_process(candidate: Candidate, flows: usize) -> Result<Growth> {
    let program = env::current_exe().context("cannot find this program to start it again")?;
    let output = Command::new(program)
        .args(["bench", "grow", "--candidate", candidate.name(), "--flows", &flows.to_string()])
        .output()
        .context("cannot start this program again")?;
    ensure!(
        output.status.success(),
        "growing {candidate} to {flows} flows failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("a process that grew a table gave no result")
}
