use std::io::{self, ErrorKind, Write};
use std::process::{Command, Stdio};

use super::program::{Program, ProgramError};
use crate::packet::LinkType;
use crate::read::CAPTURED_LIMIT;

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BpfError {
    /// The compiler is missing.
    #[error(
        "the program tcpdump, which compiles the expression, cannot be started ({0}); --filter does without it"
    )]
    NoCompiler(#[source] io::Error),
    /// The compiler refuses the expression.
    #[error("for {link}: {reason}")]
    Refused {
        /// For frames of this kind.
        link: LinkType,
        /// What the compiler says.
        reason: String,
    },
    /// What the compiler wrote is no program.
    #[error("tcpdump wrote no program: {0}")]
    Program(#[from] ProgramError),
}

/// Compiles an expression for frames of a kind. The compiler gets an empty capture with such frames, so it needs
/// no interface and no privileges.
pub(super) fn compile(expression: &str, link: LinkType) -> Result<Program, BpfError> {
    let mut command = Command::new("tcpdump");
    command.args(["-ddd", "-r", "-", "--", expression]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(BpfError::NoCompiler)?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&empty_capture(link)));
    let output = child.wait_with_output().map_err(BpfError::NoCompiler)?;
    // A compiler that does not read to the end says why itself.
    written
        .or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
        .map_err(BpfError::NoCompiler)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason");
        return Err(BpfError::Refused { link, reason: reason.trim_start_matches("tcpdump: ").to_owned() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).parse()?)
}

/// The header of a capture.
fn empty_capture(link: LinkType) -> Vec<u8> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const VERSION: u32 = 2 << 16 | 4;
    [MAGIC, VERSION, 0, 0, CAPTURED_LIMIT, link.number().into()].into_iter().flat_map(u32::to_be_bytes).collect()
}
