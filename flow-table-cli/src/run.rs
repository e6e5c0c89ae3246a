//! The command `replay`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::args::ReplayArgs;
use crate::capture::Options;
use crate::export::Exporter;
use crate::progress::FileProgress;
use crate::summary::Summary;
use crate::{json, report};

/// Replays all files. Writes summaries to `out` and problems to `complaints`. Returns `true` if all files could be
/// read.
///
/// # Errors
///
/// Returns an error if flows cannot be exported, `out` or `complaints` cannot be written to, or the table gets no
/// memory.
pub fn replay(args: &ReplayArgs, out: &mut impl Write, complaints: &mut impl Write) -> Result<bool> {
    let mut exporter = match &args.export {
        Some(path) => {
            let is_input = args.files.iter().any(|file| same_file(file, path));
            ensure!(!is_input, "{}: is one of the captures, and would be overwritten", path.display());
            Some(Exporter::create(path, args.format)?)
        }
        None => None,
    };
    let mut complete = true;
    for path in &args.files {
        let summary = replay_file(path, args, &mut exporter)?;
        let file = path.display().to_string();
        if let Some(error) = &summary.error {
            writeln!(complaints, "flow-table: {file}: {error}")?;
        }
        complete &= summary.is_complete();
        if args.json {
            json::write(out, &file, &summary, args)?;
        } else {
            report::write(out, &file, &summary, args)?;
        }
    }
    if let Some(exporter) = exporter {
        exporter.finish()?;
    }
    out.flush()?;
    Ok(complete)
}

fn replay_file(path: &Path, args: &ReplayArgs, exporter: &mut Option<Exporter<File>>) -> Result<Summary> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Ok(Summary::unopened(error)),
    };
    let options = Options {
        timeout: args.idle_timeout.timeout(),
        direction: args.direction,
        protocols: args.protocols,
        capacity: args.capacity,
    };
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let progress = FileProgress::new(&path.display().to_string(), bytes);
    args.backend.replay(file, &options, &mut |read| progress.set(read), &mut |flow| match exporter {
        Some(exporter) => exporter.write(&flow),
        None => Ok(()),
    })
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
