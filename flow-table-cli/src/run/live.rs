use std::io::Write;
use std::time::Instant;

use anyhow::Result;

use super::session::{Ending, Session};
use crate::args::{LiveArgs, Shown};
use crate::control::Control;
use crate::live::Live;
use crate::progress::InputProgress;
use crate::summary::FileError;

/// Counts the flows of an interface until a signal or the end of the time. Writes as [`replay`](super::replay)
/// does. Returns `true` unless the interface went away.
///
/// # Errors
///
/// Returns an error if the interface cannot be watched, flows cannot be exported, `out` or `complaints` cannot be
/// written to, or the table gets no memory.
pub fn live(
    args: &LiveArgs,
    control: &Control,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> Result<bool> {
    let shown = Shown { flows: &args.flows, output: &args.output };
    let mut session = Session::start(shown, control, out, complaints)?;
    let progress = InputProgress::new(&args.interface, None, Vec::new());
    // A time beyond the clock's range never comes.
    let deadline = args.duration.and_then(|duration| Instant::now().checked_add(duration));
    let mut packets = Live::open(&args.interface, control, deadline)?;
    let mut summary = session.replay(&args.interface, &mut packets, &progress, Ending::ByPackets)?;
    // To end it is what was asked for.
    summary.interrupted = false;
    for error in &summary.errors {
        session.complain(error.level(), &format!("{}: {error}", args.interface))?;
    }
    session.show(&args.interface, &summary)?;
    session.finish()?;
    Ok(summary.errors.iter().all(FileError::is_cut_off))
}
