//! The command `replay`.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::args::ReplayArgs;
use crate::capture::Pace;
use crate::control::Control;
use crate::input::merge::Merged;
use crate::input::open::{Input, Meter, open};
use crate::input::sort::Sorted;
use crate::output::records::Records;
use crate::output::target::Target;
use crate::progress::InputProgress;
use crate::read::{Capture, Packets};
use crate::report::html::Page;
use crate::summary::{FileError, Summary};
use crate::{json, report};

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
    let plan = args.output.plan(&args.flows);
    let target = plan.as_ref().map(|plan| plan.target.clone());
    if let Some(Target::File(path)) = &target {
        let is_input = args.files.iter().any(|file| same_file(file, path));
        ensure!(!is_input, "{}: is one of the captures, and would be overwritten", path.display());
    }
    let mut records = plan.map(|plan| Records::open(plan, control)).transpose()?;
    let to_stdout = target == Some(Target::Stdout);
    let mut complete = true;
    let mut page = Page::default();
    let groups: Vec<&[PathBuf]> = if args.merge { vec![&args.files] } else { args.files.chunks(1).collect() };
    for files in groups {
        let mut run = Run { args, control, records: &mut records, complaints };
        let (file, summary) = run.group(files)?;
        for error in &summary.errors {
            writeln!(complaints, "flow-table: {}", named(files, &file, error))?;
        }
        complete &= summary.is_complete();
        if args.output.report.is_some() {
            page.add(&file, &summary)?;
        }
        let text = rendered(&file, &summary, args)?;
        let written = if to_stdout { complaints.write_all(&text) } else { out.write_all(&text) };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => control.pipe_closed(),
            result => result?,
        }
        if control.is_stopped() {
            break;
        }
    }
    if let Some(records) = records {
        match records.finish()? {
            0 => {}
            lost => writeln!(complaints, "flow-table: {lost} datagrams could not be sent")?,
        }
    }
    if let Some(path) = &args.output.report {
        page.write(path)?;
    }
    match out.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        result => result?,
    }
    Ok(complete)
}

/// An error with the name of its file, which errors of merged captures have already.
fn named(files: &[PathBuf], group: &str, error: &FileError) -> String {
    if files.len() == 1 { format!("{group}: {error}") } else { error.to_string() }
}

fn rendered(file: &str, summary: &Summary, args: &ReplayArgs) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if args.output.json {
        json::write(&mut text, file, summary, args)?;
    } else {
        report::text::write(&mut text, file, summary, args)?;
    }
    Ok(text)
}

/// What the replay of one capture needs.
struct Run<'r, C> {
    args: &'r ReplayArgs,
    control: &'r Control,
    records: &'r mut Option<Records>,
    complaints: &'r mut C,
}

/// How often records are flushed while packets keep arriving.
const FLUSH: Duration = Duration::from_secs(1);

impl<C: Write> Run<'_, C> {
    /// Replays captures as one. Returns the name for all.
    fn group(&mut self, files: &[PathBuf]) -> Result<(String, Summary)> {
        let name = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" + ");
        let (mut captures, mut read, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut len = Some(0);
        for file in files {
            match capture(file, self.args, self.control) {
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
            return Ok((name, Summary { errors, ..Summary::default() }));
        }
        let progress = InputProgress::new(&name, len, read);
        let mut packets: Box<dyn Packets> = match captures.pop() {
            Some((_, only)) if files.len() == 1 => Box::new(only),
            last => Box::new(Merged::new(captures.into_iter().chain(last))),
        };
        if let Some(window) = self.args.sort_window {
            packets = Box::new(Sorted::new(packets, window));
        }
        let mut summary = self.packets(&name, &mut *packets, &progress)?;
        summary.errors.splice(0..0, errors);
        Ok((name, summary))
    }

    fn packets(&mut self, name: &str, packets: &mut dyn Packets, progress: &InputProgress) -> Result<Summary> {
        let Self { args, control, records, complaints } = self;
        let options = args.flows.options(args.output.view(&args.flows));
        // Both closures below write records, one at a time.
        let records = RefCell::new(records);
        let mut flushed = Instant::now();
        let mut problem = None;
        let mut watch = |summary: &Summary, pace: Pace| {
            progress.update();
            if pace == Pace::Idle || flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                let result = records.borrow_mut().as_mut().map_or(Ok(()), Records::flush);
                problem = result.err();
            }
            if control.take_print() {
                let text = rendered(name, summary, args).unwrap_or_default();
                let printed = progress.suspend(|| complaints.write_all(&text));
                problem = problem.take().or(printed.err().map(Into::into));
            }
            if control.is_stopped() || problem.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let mut sink = |flow| records.borrow_mut().as_mut().map_or(Ok(()), |records| records.write(&flow));
        let mut summary = args.flows.backend.replay(packets, &options, &mut watch, &mut sink)?;
        // Input that is a pipe ends by itself when the program is to end.
        summary.interrupted |= control.is_stopped();
        problem.map_or(Ok(summary), Err)
    }
}

type OpenCapture = (Capture<Box<dyn io::Read + Send>>, Meter, Option<u64>);

fn capture(file: &Path, args: &ReplayArgs, control: &Control) -> Result<OpenCapture, FileError> {
    let Input { bytes, compression: _, len, read } = open(file, args.follow, control).map_err(FileError::Open)?;
    Ok((Capture::new(bytes)?, read, len))
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
