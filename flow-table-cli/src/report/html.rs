//! The summary as a page that needs no network.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::names::protocol_name;
use crate::record::{End, Oriented, TcpState};
use crate::summary::Summary;

/// The page. One place in it is replaced by the data.
const PAGE: &str = include_str!("page.html");
const PLACE: &str = "/*DATA*/null";

/// The number of flows in the page's list, the largest ones.
pub const FLOWS: usize = 5_000;

/// The data of one capture.
#[derive(Serialize)]
struct Data<'s> {
    file: &'s str,
    format: Option<&'s str>,
    packets: u64,
    bytes: u64,
    flows: u64,
    peak_live: usize,
    errors: Vec<String>,
    out_of_order: u64,
    refused: u64,
    /// Milliseconds since 1970, and per bin.
    start_ms: f64,
    width_ms: f64,
    /// Packets, bytes, records that start, records that end.
    bins: Vec<[u64; 4]>,
    durations: Vec<(u64, u64)>,
    sizes: Vec<(u64, u64)>,
    protocols: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    list: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    proto: String,
    src: String,
    sport: u16,
    dst: String,
    dport: u16,
    start_ms: f64,
    seconds: f64,
    packets: [u64; 2],
    bytes: [u64; 2],
    state: TcpState,
    end: End,
}

/// Collects the captures of a run, and writes the page.
#[derive(Default)]
pub struct Page {
    /// One JSON object for each capture.
    captures: Vec<String>,
}

impl Page {
    /// Adds a capture.
    ///
    /// # Errors
    ///
    /// Never in practice: numbers and texts can be written as JSON.
    pub fn add(&mut self, file: &str, summary: &Summary) -> Result<()> {
        // A text that ends the script early must not do so: `<` is written in another way.
        let json = serde_json::to_string(&data(file, summary))?.replace('<', "\\u003c");
        self.captures.push(json);
        Ok(())
    }

    /// Writes the page.
    ///
    /// # Errors
    ///
    /// Returns the error of the system, with the file's name.
    pub fn write(&self, path: &Path) -> Result<()> {
        let data = format!("[{}]", self.captures.join(","));
        std::fs::write(path, PAGE.replace(PLACE, &data)).with_context(|| path.display().to_string())
    }
}

fn data<'s>(file: &'s str, summary: &'s Summary) -> Data<'s> {
    let flows = &summary.flows;
    Data {
        file,
        format: summary.format.as_deref(),
        packets: summary.frames.packets,
        bytes: summary.frames.bytes,
        flows: flows.count(),
        peak_live: summary.totals.peak_live,
        errors: summary.errors.iter().map(ToString::to_string).collect(),
        out_of_order: summary.frames.out_of_order,
        refused: summary.totals.refused,
        start_ms: milliseconds(summary.series.start().unwrap_or(0)),
        width_ms: milliseconds(summary.series.width()),
        bins: summary.series.bins().iter().map(|bin| [bin.packets, bin.bytes, bin.started, bin.ended]).collect(),
        durations: flows.durations.buckets().collect(),
        sizes: flows.sizes.buckets().collect(),
        protocols: flows.by_protocol.iter().map(|(number, count)| (protocol_name(*number), *count)).collect(),
        ends: flows.ends().map(|(end, count)| (end.to_string(), count)).filter(|(_, count)| *count > 0).collect(),
        list: flows.top.sorted().into_iter().map(|flow| row(flow, summary)).collect(),
    }
}

fn row(flow: &crate::record::FlowRecord, summary: &Summary) -> Row {
    let Oriented { key, forward, reverse } = flow.oriented(summary.flows.orientation());
    Row {
        proto: protocol_name(key.protocol()),
        src: key.source().ip().to_string(),
        sport: key.source().port(),
        dst: key.destination().ip().to_string(),
        dport: key.destination().port(),
        start_ms: milliseconds(flow.tally.first_ns),
        seconds: milliseconds(flow.tally.last_ns.saturating_sub(flow.tally.first_ns)) / 1e3,
        packets: [forward.packets, reverse.packets],
        bytes: [forward.ip_bytes, reverse.ip_bytes],
        state: flow.state(),
        end: flow.end,
    }
}

fn milliseconds(nanos: i128) -> f64 {
    nanos as f64 / 1e6
}
