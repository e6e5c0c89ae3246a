//! The summary for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flow_table::Timeout;
use serde::Serialize;

use crate::args::Shown;
use crate::backend::Backend;
use crate::direction::FlowDirection;
use crate::names::protocol_name;
use crate::protocols::Protocols;
use crate::record::End;
use crate::stats::{Rank, Sums};
use crate::summary::{FileError, Summary};

#[derive(Serialize)]
struct Object<'s> {
    file: &'s str,
    packets: u64,
    ip_packets: u64,
    flows: u64,
    peak_live: usize,
    live_at_end: usize,
    ip_bytes: u64,
    wire_bytes: u64,
    file_error: Option<String>,
    cut_off: bool,
    interrupted: bool,
    out_of_order: u64,
    dropped_packets: u64,
    format: Option<&'s str>,
    backend: Backend,
    direction: FlowDirection,
    protocols: Protocols,
    idle_timeout_ns: Option<u64>,
    capacity: usize,
    frame_bytes: u64,
    first_ns: Option<i128>,
    last_ns: Option<i128>,
    skipped: BTreeMap<String, u64>,
    unselected_packets: u64,
    dropped_flows: u64,
    flow_packets: u64,
    refused_packets: u64,
    flows_by_protocol: BTreeMap<String, u64>,
    flows_by_end: BTreeMap<End, u64>,
    unfollowed_fragments: u64,
    largest_flows: Vec<Largest>,
    groups: Vec<Groups>,
    table_bytes: usize,
    packets_per_second: Option<f64>,
}

#[derive(Serialize)]
struct Largest {
    key: String,
    packets: u64,
    ip_bytes: u64,
}

#[derive(Serialize)]
struct Groups {
    group: String,
    flows: u64,
    packets: u64,
    ip_bytes: u64,
}

/// What makes a group large. A group has no duration, so the number of its flows counts.
pub(crate) const fn size(sums: &Sums, by: Rank) -> u64 {
    match by {
        Rank::Bytes => sums.bytes,
        Rank::Packets => sums.packets,
        Rank::Duration | Rank::Flows => sums.flows,
    }
}

/// Writes the summary of one file as one line of JSON. `ip_bytes` and `wire_bytes` count the packets given to the
/// table, and `frame_bytes` counts all frames.
///
/// # Errors
///
/// Returns the errors of `out`.
pub fn write(out: &mut impl Write, file: &str, summary: &Summary, args: Shown<'_>) -> io::Result<()> {
    let (selected, totals, flows) = (&summary.selected, &summary.totals, &summary.flows);
    let object = Object {
        file,
        packets: summary.frames.packets,
        ip_packets: summary.ip_packets(),
        flows: flows.count(),
        peak_live: totals.peak_live,
        live_at_end: totals.live_at_end,
        ip_bytes: selected.ip_bytes,
        wire_bytes: selected.wire_bytes,
        file_error: file_error(summary),
        cut_off: summary.errors.iter().any(FileError::is_cut_off),
        interrupted: summary.interrupted,
        out_of_order: summary.frames.out_of_order,
        dropped_packets: summary.frames.dropped,
        format: summary.format.as_deref(),
        backend: args.flows.backend,
        direction: args.flows.direction,
        protocols: args.flows.protocols,
        idle_timeout_ns: match args.flows.idle_timeout.timeout() {
            Timeout::NEVER => None,
            timeout => Some(timeout.as_nanos()),
        },
        capacity: args.flows.capacity,
        frame_bytes: summary.frames.bytes,
        first_ns: summary.frames.span.map(|(first, _)| first),
        last_ns: summary.frames.span.map(|(_, last)| last),
        skipped: summary.skipped.iter().map(|(skip, count)| (skip.to_string(), *count)).collect(),
        unselected_packets: summary.unselected,
        dropped_flows: flows.dropped,
        flow_packets: selected.packets - totals.refused,
        refused_packets: totals.refused,
        flows_by_protocol: flows.by_protocol.iter().map(|(n, count)| (protocol_name(*n), *count)).collect(),
        flows_by_end: flows.ends().collect(),
        unfollowed_fragments: summary.unfollowed,
        largest_flows: flows
            .top
            .sorted()
            .into_iter()
            .take(args.output.top)
            .map(|flow| Largest {
                key: flow.key.to_string(),
                packets: flow.tally.packets,
                ip_bytes: flow.tally.ip_bytes,
            })
            .collect(),
        groups: flows
            .aggregate
            .largest(args.output.top, |sums| size(sums, args.output.by))
            .into_iter()
            .map(|(group, sums)| Groups {
                group: group.to_string(),
                flows: sums.flows,
                packets: sums.packets,
                ip_bytes: sums.bytes,
            })
            .collect(),
        table_bytes: totals.table_bytes,
        packets_per_second: summary.packets_per_second(),
    };
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

/// All errors as one text.
fn file_error(summary: &Summary) -> Option<String> {
    let errors: Vec<_> = summary.errors.iter().map(ToString::to_string).collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}
