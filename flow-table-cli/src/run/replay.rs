use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::session::{Ending, Session};
use crate::args::{ReplayArgs, Shown};
use crate::control::Control;
use crate::input::merge::Merged;
use crate::input::open::{Input, Meter, open};
use crate::input::sort::Sorted;
use crate::output::target::Target;
use crate::progress::InputProgress;
use crate::read::{Capture, Packets};
use crate::summary::{FileError, Summary};

/// Replays all captures. Writes summaries to `out`, or to `complaints` if records go to standard output, and
/// problems to `complaints`. Returns `true` if all captures could be read.
///
/// # Errors
///
/// Returns an error if flows cannot be exported, `out` or `complaints` cannot be written to, or the table gets no
/// memory. It is no error if nobody reads `out` or the records any more: the replay ends.
pub fn replay(
    args: &ReplayArgs,
    control: &Control,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> Result<bool> {
    if let Some(Target::File(path)) = args.output.export.as_deref().map(Target::of) {
        let is_input = args.files.iter().any(|file| same_file(file, &path));
        ensure!(!is_input, "{}: is one of the captures, and would be overwritten", path.display());
    }
    let shown = Shown { flows: &args.flows, output: &args.output };
    let mut session = Session::start(shown, control, out, complaints)?;
    let mut complete = true;
    let groups: Vec<&[PathBuf]> = if args.merge { vec![&args.files] } else { args.files.chunks(1).collect() };
    for files in groups {
        let name = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" + ");
        let summary = group(&mut session, args, control, &name, files)?;
        for error in &summary.errors {
            // Errors of merged captures have the name of their file already.
            let named = if files.len() == 1 { format!("{name}: {error}") } else { error.to_string() };
            session.complain(error.level(), &named)?;
        }
        complete &= summary.is_complete();
        session.show(&name, &summary)?;
        if control.is_stopped() {
            break;
        }
    }
    session.finish()?;
    Ok(complete)
}

/// Replays captures as one.
fn group(
    session: &mut Session<'_>,
    args: &ReplayArgs,
    control: &Control,
    name: &str,
    files: &[PathBuf],
) -> Result<Summary> {
    let (mut captures, mut read, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let mut len = Some(0);
    for file in files {
        match capture(file, args, control) {
            Ok((capture, meter, file_len)) => {
                captures.push((file.display().to_string(), capture));
                read.push(meter);
                len = len.zip(file_len).map(|(all, len)| all + len);
            }
            Err(error) if files.len() > 1 => errors.push(error.of(&file.display().to_string())),
            Err(error) => errors.push(error),
        }
    }
    if captures.is_empty() {
        return Ok(Summary { errors, ..Summary::default() });
    }
    let progress = InputProgress::new(name, len, read);
    let mut packets: Box<dyn Packets> = match captures.pop() {
        Some((_, only)) if files.len() == 1 => Box::new(only),
        last => Box::new(Merged::new(captures.into_iter().chain(last))),
    };
    if let Some(window) = args.sort_window {
        packets = Box::new(Sorted::new(packets, window));
    }
    let mut summary = session.replay(name, &mut *packets, &progress, Ending::AtOnce)?;
    summary.errors.splice(0..0, errors);
    Ok(summary)
}

type OpenCapture = (Capture<Box<dyn Read + Send>>, Meter, Option<u64>);

fn capture(file: &Path, args: &ReplayArgs, control: &Control) -> Result<OpenCapture, FileError> {
    let Input { bytes, compression: _, len, read } = open(file, args.follow, control).map_err(FileError::Open)?;
    Ok((Capture::new(bytes)?, read, len))
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
