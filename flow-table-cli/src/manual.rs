//! Manual pages and completions, made from the command line's description.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::Cli;

/// Writes a script for `shell`.
pub fn completions(shell: clap_complete::Shell, out: &mut impl Write) {
    clap_complete::generate(shell, &mut Cli::command(), "flow-table", out);
}

/// Writes a manual page for the program and each of its commands into `folder`.
///
/// # Errors
///
/// Returns the error of the system, with the folder's name.
pub fn pages(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(Cli::command(), folder).with_context(|| folder.display().to_string())
}
