//! The summary for a terminal.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use flow_table::Timeout;
use indicatif::{HumanBytes, HumanCount};

use super::screen::Screen;
use crate::args::Shown;
use crate::json::size;
use crate::names::{key_name, protocol_name};
use crate::stats::{Rank, Series};
use crate::summary::Summary;

/// Writes the summary of one capture.
///
/// # Errors
///
/// Returns the errors of `out`.
pub fn write(
    out: &mut impl Write,
    file: &str,
    summary: &Summary,
    args: Shown<'_>,
    screen: &Screen,
) -> io::Result<()> {
    let Some(format) = &summary.format else { return Ok(()) };
    writeln!(out, "{file}: {format}")?;
    for (label, text) in lines(summary, args, screen.columns(60)) {
        out.write_all(screen.lines(label, &text).as_bytes())?;
    }
    Ok(())
}

/// The lines, with pictures of at most `columns`.
fn lines(summary: &Summary, args: Shown<'_>, columns: usize) -> Vec<(&'static str, String)> {
    let mut lines = vec![("packets", packets(summary))];
    if let Some((first, _)) = summary.frames.span {
        lines.extend(date(first).map(|date| ("from", date)));
        lines.push(("over time", sparkline(&summary.series, columns)));
    }
    if !summary.skipped.is_empty() || summary.unselected > 0 {
        lines.push(("skipped", skipped(summary)));
    }
    if summary.frames.out_of_order > 0 {
        let count = counted(summary.frames.out_of_order, "packet");
        lines.push(("disorder", format!("{count} earlier than one before; --sort-window sorts them")));
    }
    if summary.frames.dropped > 0 {
        lines.push(("dropped", format!("{} by the kernel", counted(summary.frames.dropped, "packet"))));
    }
    if summary.unfollowed > 0 {
        let count = counted(summary.unfollowed, "later fragment");
        lines.push(("fragments", format!("{count} without a first one, counted under port 0")));
    }
    lines.push(("flows", flows(summary, args)));
    if summary.flows.count() > 0 {
        let protocols = summary.flows.by_protocol.iter();
        lines.push(("protocols", list("flow", protocols.map(|(number, count)| (protocol_name(*number), *count)))));
        lines.push(("ended by", list("", summary.flows.ends().map(|(end, count)| (end.to_string(), count)))));
    }
    lines.extend(largest(summary, args));
    lines.push(("table", table(summary, args)));
    lines.push(("speed", speed(summary)));
    if summary.interrupted {
        lines.push(("ended", "before the end of the capture; all before is counted".to_owned()));
    }
    lines
}

fn packets(summary: &Summary) -> String {
    let frames = &summary.frames;
    let mut text = format!("{}, {} on the wire", HumanCount(frames.packets), HumanBytes(frames.bytes));
    if let Some((first, last)) = frames.span {
        let nanos = last.saturating_sub(first).unsigned_abs();
        let span = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if span < Duration::from_secs(3_600) {
            write!(text, ", over {:.3} s", span.as_secs_f64()).expect("a string takes everything");
        } else {
            let seconds = Duration::from_secs(span.as_secs());
            write!(text, ", over {}", humantime::format_duration(seconds)).expect("a string takes everything");
        }
    }
    text
}

/// The date of a time, if it has one before the year 10,000.
fn date(nanos: i128) -> Option<String> {
    const YEAR_10_000: u64 = 253_402_300_800;
    let nanos = u64::try_from(nanos).ok()?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))?;
    (nanos / 1_000_000_000 < YEAR_10_000).then(|| humantime::format_rfc3339_micros(time).to_string())
}

/// Packets over time.
fn sparkline(series: &Series, columns: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bins = series.bins();
    let columns: Vec<u64> = bins
        .chunks(bins.len().div_ceil(columns).max(1))
        .map(|chunk| chunk.iter().map(|bin| bin.packets).sum())
        .collect();
    let most = columns.iter().copied().max().unwrap_or(0).max(1);
    let level = |count: &u64| match count {
        0 => ' ',
        count => LEVELS[(u128::from(*count) * 7 / u128::from(most)) as usize],
    };
    columns.iter().map(level).collect()
}

fn skipped(summary: &Summary) -> String {
    let reasons = summary.skipped.iter().map(|(skip, count)| (skip.to_string(), *count));
    let unselected = (summary.unselected > 0).then(|| ("not selected".to_owned(), summary.unselected));
    list("packet", reasons.chain(unselected))
}

fn flows(summary: &Summary, args: Shown<'_>) -> String {
    let (selected, totals) = (&summary.selected, &summary.totals);
    let idle = match args.flows.idle_timeout.timeout() {
        Timeout::NEVER => "no idle timeout".to_owned(),
        timeout => format!("idle timeout {timeout:?}"),
    };
    let mut text = format!(
        "{} of {}, {}; {idle}; at most {} live at a time",
        HumanCount(summary.flows.count()),
        counted(selected.packets, "IP packet"),
        HumanBytes(selected.ip_bytes),
        HumanCount(totals.peak_live as u64),
    );
    if summary.flows.dropped > 0 {
        write!(text, "; {} not shown", HumanCount(summary.flows.dropped)).expect("a string takes everything");
    }
    text
}

/// The largest groups if there are any, else the largest flows.
fn largest(summary: &Summary, args: Shown<'_>) -> Vec<(&'static str, String)> {
    let by = args.output.by;
    let texts: Vec<String> = if args.output.aggregate.is_empty() {
        let flows = summary.flows.top.sorted().into_iter().take(args.output.top);
        let orientation = summary.flows.orientation();
        let text = |flow: &crate::record::FlowRecord| {
            let (packets, bytes) = (counted(flow.tally.packets, "packet"), HumanBytes(flow.tally.ip_bytes));
            let mut text = format!("{}: {packets}, {bytes}", key_name(&flow.oriented(orientation).key));
            if by == Rank::Duration {
                let nanos = flow.tally.last_ns.saturating_sub(flow.tally.first_ns);
                write!(text, ", {:.3} s", nanos as f64 / 1e9).expect("a string takes everything");
            }
            text
        };
        flows.map(text).collect()
    } else {
        let groups = summary.flows.aggregate.largest(args.output.top, |sums| size(sums, by));
        let text = |(group, sums): (&crate::stats::Group, &crate::stats::Sums)| {
            let (flows, packets) = (counted(sums.flows, "flow"), counted(sums.packets, "packet"));
            format!("{group}: {flows}, {packets}, {}", HumanBytes(sums.bytes))
        };
        groups.into_iter().map(text).collect()
    };
    let labels = std::iter::once("largest").chain(std::iter::repeat(""));
    labels.zip(texts).collect()
}

fn table(summary: &Summary, args: Shown<'_>) -> String {
    let totals = &summary.totals;
    let mut text = format!("{}, {} at the end", args.flows.backend, HumanBytes(totals.table_bytes as u64));
    if totals.refused > 0 {
        let (capacity, refused) = (HumanCount(args.flows.capacity as u64), counted(totals.refused, "packet"));
        write!(text, ", full at {capacity} flows: {refused} refused").expect("a string takes everything");
    }
    text
}

/// The rate of the whole run, and that of the table alone.
fn speed(summary: &Summary) -> String {
    let seconds = summary.elapsed.as_secs_f64();
    let mut parts = Vec::new();
    if seconds > 0.0 {
        let rate = summary.frames.packets as f64 / seconds;
        parts.push(format!("{} packets/s in {seconds:.3} s", HumanCount(rate as u64)));
    }
    if let Some(rate) = summary.packets_per_second() {
        parts.push(format!("{} in the table alone", HumanCount(rate as u64)));
    }
    parts.extend(peak_memory().map(|bytes| format!("peak memory {}", HumanBytes(bytes))));
    parts.join(", ")
}

/// The largest resident size of the process so far, where the system tells it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// `udp 7 flows, tcp 3`: most first. The first one says what is counted.
fn list(what: &str, counts: impl IntoIterator<Item = (String, u64)>) -> String {
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by(|(_, a), (_, b)| b.cmp(a));
    let words = counts.iter().enumerate().map(|(index, (name, count))| match (index, what) {
        (0, what) if !what.is_empty() => format!("{name} {}", counted(*count, what)),
        _ => format!("{name} {}", HumanCount(*count)),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}
