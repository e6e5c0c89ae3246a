use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::paced::Paced;
use super::snapshot::{Shared, Snapshot};
use crate::args::TopArgs;
use crate::capture::Moment;
use crate::control::Control;
use crate::input::open::open as open_file;
use crate::read::{Capture, Packets};
use crate::stats::{Rank, Top};
use crate::summary::{Summary, View};

/// How often a snapshot is taken.
const EVERY: Duration = Duration::from_millis(250);
/// Flows of a snapshot at most.
const FLOWS: usize = 2_000;

/// Opens the interface or the capture.
pub(super) fn open(args: &TopArgs, control: &Control) -> Result<Box<dyn Packets + Send>> {
    #[cfg(all(feature = "live", target_os = "linux"))]
    if let Some(interface) = &args.interface {
        return Ok(Box::new(crate::live::Live::open(interface, control, None)?));
    }
    let path = args.file.as_deref().unwrap_or(Path::new("-"));
    let input = open_file(path, false, control).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let capture = Capture::new(input.bytes)?;
    Ok(match args.speed {
        speed if speed > 0.0 => Box::new(Paced::new(capture, speed, control)),
        _ => Box::new(capture),
    })
}

/// Replays packets, and puts a snapshot of the live flows into `shared` from time to time. Returns `true` if all
/// packets could be read.
pub(super) fn follow(
    args: &TopArgs,
    packets: &mut (dyn Packets + Send),
    control: &Control,
    shared: &Shared,
) -> Result<bool> {
    let view = View { top: FLOWS, ..View::default() };
    let options = args.flows.options(view);
    let source = packets.describe();
    let mut taken: Option<Instant> = None;
    let mut watch = |moment: &Moment<'_>| {
        if taken.is_none_or(|taken| taken.elapsed() >= EVERY) {
            taken = Some(Instant::now());
            let (mut top, mut live) = (Top::new(FLOWS, Rank::Bytes), 0);
            (moment.live)(&mut |flow| {
                live += 1;
                top.add(&flow);
            });
            shared.put(snapshot(&source, moment.summary, live, top.sorted().into_iter().cloned().collect()));
        }
        if control.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let summary = args.flows.backend.replay(packets, &options, &mut watch, &mut |_| Ok(()))?;
    // At the end of a capture the largest of all flows are shown.
    shared.put(snapshot(&source, &summary, 0, summary.flows.top.sorted().into_iter().cloned().collect()));
    match summary.errors.into_iter().find(|error| !error.is_cut_off()) {
        Some(error) => Err(error.into()),
        None => Ok(true),
    }
}

fn snapshot(source: &str, summary: &Summary, live: usize, flows: Vec<crate::record::FlowRecord>) -> Snapshot {
    Snapshot {
        source: source.to_owned(),
        taken: Instant::now(),
        packets: summary.frames.packets,
        bytes: summary.frames.bytes,
        dropped: summary.frames.dropped,
        live,
        ended: summary.flows.count(),
        flows,
    }
}
