//! One capture through one table.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::Result;
use flow_table::{FlowKey, Table};

use crate::bpf::{Expression, FrameFilter};
use crate::filter::Filter;
use crate::keyer::{Keyer, Keying};
use crate::read::{Capture, Packets};
use crate::record::{FlowRecord, Record};
use crate::replay::{BURST, Ends, Engine, Replay, Sink};
use crate::summary::{Summary, View};
use crate::workers::Workers;

/// How packets become flows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which packets have which keys.
    pub keying: Keying,
    /// When flows end.
    pub ends: Ends,
    /// The most flows in the table.
    pub capacity: usize,
    /// The number of threads with a table of their own. With one, everything happens on the calling thread.
    pub workers: usize,
    /// Which packets count.
    pub filter: Option<Arc<Filter>>,
    /// Which frames count, in libpcap's language.
    pub bpf: Option<Expression>,
    /// What the summary shows.
    pub view: View,
}

/// How packets arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One after the other.
    Busy,
    /// Nothing has arrived for a while. All packets before have gone through the table.
    Idle,
}

/// Receives records of flows that are live.
pub type Visit<'v> = dyn FnMut(FlowRecord) + 'v;

/// What there is at some moment of a replay.
pub struct Moment<'m> {
    /// The summary of what has ended.
    pub summary: &'m Summary,
    /// How packets arrive.
    pub pace: Pace,
    /// Shows the records so far of the flows that are live, if there is only one worker.
    pub live: &'m dyn Fn(&mut Visit<'_>),
}

/// Called from time to time. It may end the replay, as if the capture were over.
pub type Watch<'w> = dyn FnMut(&Moment<'_>) -> ControlFlow<()> + 'w;

/// Replays the capture `input` through a table of type `T`, as [`replay_packets`] does.
///
/// # Errors
///
/// As there.
pub fn replay<T: Table<FlowKey, Record>>(
    input: impl Read,
    options: &Options,
    watch: &mut Watch<'_>,
    sink: &mut Sink<'_>,
) -> Result<Summary> {
    match Capture::new(input) {
        Ok(mut capture) => replay_packets::<T, _>(&mut capture, options, watch, sink),
        Err(error) => Ok(Summary { errors: vec![error.into()], ..Summary::default() }),
    }
}

/// Replays packets through a table of type `T`. Every flow goes to `sink` when it ends, and the last ones at the
/// end of the packets. If a capture cannot be read to its end, the packets before count, and the summary states
/// the reason.
///
/// # Errors
///
/// Returns the error of `sink`, that of a table that gets no memory, or that of an expression that does not fit
/// the frames.
pub fn replay_packets<T: Table<FlowKey, Record>, P: Packets + ?Sized>(
    packets: &mut P,
    options: &Options,
    watch: &mut Watch<'_>,
    sink: &mut Sink<'_>,
) -> Result<Summary> {
    if options.workers > 1 {
        let (count, capacity, ends) = (options.workers, options.capacity, options.ends);
        thread::scope(|scope| {
            run(Workers::start::<T>(scope, count, capacity, ends), packets, options, watch, sink)
        })
    } else {
        run(Replay::<T>::new(options.capacity, options.ends), packets, options, watch, sink)
    }
}

fn run<P: Packets + ?Sized>(
    mut engine: impl Engine,
    packets: &mut P,
    options: &Options,
    watch: &mut Watch<'_>,
    sink: &mut Sink<'_>,
) -> Result<Summary> {
    let mut summary = Summary::of(packets.describe(), &options.view);
    let started = Instant::now();
    let mut wanted = options.bpf.clone().map(FrameFilter::new);
    let mut keyer = Keyer::new(options.keying, options.filter.clone());
    loop {
        let mut pace = Pace::Busy;
        match packets.next_packet() {
            Ok(Some(packet)) => {
                summary.frames.add(&packet);
                summary.series.packet(packet.timestamp, packet.wire_len.into());
                let wanted = wanted.as_mut().map_or(Ok(true), |wanted| wanted.matches(&packet))?;
                match keyer.key(&packet) {
                    Ok(Some(keyed)) if wanted => {
                        summary.selected.add(&keyed);
                        engine.packet(keyed, &mut counting(&mut summary, sink))?;
                    }
                    Ok(_) => summary.unselected += 1,
                    Err(skip) => *summary.skipped.entry(skip).or_default() += 1,
                }
                if !summary.frames.packets.is_multiple_of(BURST as u64) {
                    continue;
                }
            }
            Ok(None) => break,
            Err(error) if error.is_idle() => {
                if let Some(now) = packets.now() {
                    engine.advance(now);
                }
                engine.flush(&mut counting(&mut summary, sink))?;
                pace = Pace::Idle;
            }
            Err(error) => {
                summary.errors.push(error.into());
                if !packets.goes_on() {
                    break;
                }
            }
        }
        summary.frames.dropped = packets.dropped();
        let live = |visit: &mut Visit<'_>| engine.live(visit);
        if watch(&Moment { summary: &summary, pace, live: &live }).is_break() {
            summary.interrupted = true;
            break;
        }
    }
    summary.format = Some(packets.describe());
    summary.frames.dropped = packets.dropped();
    let totals = engine.finish(&mut counting(&mut summary, sink))?;
    summary.totals = totals;
    summary.elapsed = started.elapsed();
    summary.unfollowed = keyer.unfollowed();
    Ok(summary)
}

/// Counts the flows that go to `sink`.
fn counting<'s>(summary: &'s mut Summary, sink: &'s mut Sink<'_>) -> impl FnMut(FlowRecord) -> Result<()> + 's {
    |flow| {
        summary.series.record(flow.tally.first_ns, flow.tally.last_ns);
        if summary.flows.add(&flow) { sink(flow) } else { Ok(()) }
    }
}
