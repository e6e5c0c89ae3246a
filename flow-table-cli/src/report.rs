//! The summary for people.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use flow_table::Timeout;
use indicatif::{HumanBytes, HumanCount};

use crate::args::ReplayArgs;
use crate::summary::{Summary, protocol_name};

/// Writes the summary of one file.
///
/// # Errors
///
/// Returns the errors of `out`.
pub fn write(out: &mut impl Write, file: &str, summary: &Summary, args: &ReplayArgs) -> io::Result<()> {
    let Some(format) = &summary.format else { return Ok(()) };
    writeln!(out, "{file}: {format}")?;
    for (label, text) in lines(summary, args) {
        writeln!(out, "  {label:<10} {text}")?;
    }
    Ok(())
}

fn lines(summary: &Summary, args: &ReplayArgs) -> Vec<(&'static str, String)> {
    let mut lines = vec![("packets", packets(summary))];
    if !summary.skipped.is_empty() || summary.unselected > 0 {
        lines.push(("skipped", skipped(summary)));
    }
    if summary.frames.out_of_order > 0 {
        let count = counted(summary.frames.out_of_order, "packet");
        lines.push(("disorder", format!("{count} earlier than one before; --sort-window sorts them")));
    }
    lines.push(("flows", flows(summary, args)));
    if summary.flows.count() > 0 {
        let protocols = summary.flows.by_protocol.iter();
        lines.push(("protocols", list(protocols.map(|(number, count)| (protocol_name(*number), *count)))));
        lines.push(("ended by", ends(summary)));
    }
    for (rank, flow) in summary.flows.largest.iter().enumerate() {
        let label = if rank == 0 { "largest" } else { "" };
        let (packets, bytes) = (counted(flow.tally.packets, "packet"), HumanBytes(flow.tally.ip_bytes));
        lines.push((label, format!("{}: {packets}, {bytes}", flow.key)));
    }
    lines.push(("table", table(summary, args)));
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
        write!(text, ", over {:.3} s", span.as_secs_f64()).expect("a string takes everything");
    }
    text
}

fn skipped(summary: &Summary) -> String {
    let reasons = summary.skipped.iter().map(|(skip, count)| (skip.to_string(), *count));
    let unselected = (summary.unselected > 0).then(|| ("protocol not selected".to_owned(), summary.unselected));
    list(reasons.chain(unselected))
}

fn flows(summary: &Summary, args: &ReplayArgs) -> String {
    let (selected, totals) = (&summary.selected, &summary.totals);
    let idle = match args.flows.idle_timeout.timeout() {
        Timeout::NEVER => "no idle timeout".to_owned(),
        timeout => format!("idle timeout {timeout:?}"),
    };
    format!(
        "{} of {}, {}; {idle}; at most {} live at a time",
        HumanCount(summary.flows.count()),
        counted(selected.packets, "IP packet"),
        HumanBytes(selected.ip_bytes),
        HumanCount(totals.peak_live as u64),
    )
}

fn ends(summary: &Summary) -> String {
    list(summary.flows.ends().map(|(end, count)| (end.to_string(), count)))
}

fn table(summary: &Summary, args: &ReplayArgs) -> String {
    let totals = &summary.totals;
    let mut text = format!("{}, {} at the end", args.flows.backend, HumanBytes(totals.table_bytes as u64));
    if let Some(rate) = summary.packets_per_second() {
        write!(text, ", {} packets/s", HumanCount(rate as u64)).expect("a string takes everything");
    }
    if totals.refused > 0 {
        let (capacity, refused) = (HumanCount(args.flows.capacity as u64), counted(totals.refused, "packet"));
        write!(text, ", full at {capacity} flows: {refused} refused").expect("a string takes everything");
    }
    text
}

/// `udp 7, tcp 3`: most first.
fn list(counts: impl IntoIterator<Item = (String, u64)>) -> String {
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by(|(_, a), (_, b)| b.cmp(a));
    let words: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {}", HumanCount(*count))).collect();
    words.join(", ")
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}
