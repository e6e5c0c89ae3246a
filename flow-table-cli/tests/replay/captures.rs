//! Replays real captures, whose packets and flows an independent program has counted.
//!
//! The captures are not part of this repository. The test looks for them in `FLOW_TABLE_CAPTURES`, or else beside
//! the repository in `shared/captures`. The counts are in `expected.json`.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, thread};

use flow_table_cli::backend::Backend;
use flow_table_cli::capture::Options;
use flow_table_cli::direction::FlowDirection;
use flow_table_cli::input::decompress::{Compression, decompress};
use flow_table_cli::input::merge::Merged;
use flow_table_cli::input::sort::Sorted;
use flow_table_cli::packet::Skip;
use flow_table_cli::protocols::Protocols;
use flow_table_cli::read::{Capture, Packets};
use flow_table_cli::summary::Summary;
use serde::Deserialize;

use crate::common;

#[derive(Deserialize)]
struct Expected {
    packets: u64,
    ip_packets: u64,
    malformed_ip: u64,
    wire_bytes: u64,
    last_ns: i128,
    file_error: Option<String>,
    policy: BTreeMap<String, Policy>,
}

/// The expectations for one selection of packets.
#[derive(Deserialize)]
struct Policy {
    packets: u64,
    ip_bytes: u64,
    wire_bytes: u64,
    flows_uni: u64,
    flows_bidi: u64,
    digest_uni: String,
    digest_bidi: String,
    timeouts: BTreeMap<String, Directions>,
}

#[derive(Deserialize)]
struct Directions {
    uni: Flows,
    bidi: Flows,
}

#[derive(Clone, Deserialize)]
struct Flows {
    flows: u64,
    /// The number of flows if time never steps back, where that differs. The digest is then that of `flows`.
    flows_mono: Option<u64>,
    live_at_end: u64,
    peak_live: u64,
    digest: String,
}

impl Policy {
    /// The expectations for each timeout, and for no timeout, when no flow ends before the capture does.
    fn runs(&self, direction: FlowDirection) -> Vec<(&str, Flows)> {
        let (flows, digest) = match direction {
            FlowDirection::Uni => (self.flows_uni, &self.digest_uni),
            FlowDirection::Bidi => (self.flows_bidi, &self.digest_bidi),
        };
        let digest = digest.clone();
        let unlimited = Flows { flows, flows_mono: None, live_at_end: flows, peak_live: flows, digest };
        let limited = self.timeouts.iter().map(|(timeout, directions)| match direction {
            FlowDirection::Uni => (timeout.as_str(), directions.uni.clone()),
            FlowDirection::Bidi => (timeout.as_str(), directions.bidi.clone()),
        });
        limited.chain([("0", unlimited)]).collect()
    }
}

/// Compressed, merged with another capture, through the sorting buffer, and with several workers.
#[test]
fn every_capture_has_the_same_flows_in_each_form() {
    let Some(folder) = folder() else { return };
    let expected = fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).expect("what this test knows");
    for (name, expected) in &expected {
        let capture = fs::read(folder.join(name)).expect("a capture");
        let policy = &expected.policy["all"];
        for (timeout, flows) in
            policy.runs(FlowDirection::Bidi).into_iter().filter(|(timeout, _)| *timeout == "15")
        {
            let options = common::options(timeout, FlowDirection::Bidi, Protocols::All);
            for &backend in common::backends() {
                for workers in [2, 4] {
                    let context = format!("{name}, {backend}, {workers} workers, {timeout} s");
                    let options = Options { workers, ..options.clone() };
                    let (summary, lines) = common::replay(backend, &capture, &options);
                    check_packets(&summary, expected, policy, &context);
                    check_flows(&summary, &lines, &flows, &context);
                }
                for (form, mut packets) in forms(&capture) {
                    let context = format!("{name}, {backend}, {form}, {timeout} s");
                    let (summary, lines) = common::replay_packets(backend, &mut *packets, &options);
                    check_packets(&summary, expected, policy, &context);
                    check_flows(&summary, &lines, &flows, &context);
                }
            }
        }
    }
}

/// The capture in several forms.
fn forms(capture: &[u8]) -> Vec<(&'static str, Box<dyn Packets>)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(capture).expect("memory takes everything");
    let gzip = gzip.finish().expect("memory takes everything");
    let reader = |bytes: Vec<u8>| Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>;
    let (gzip, compression) = decompress(reader(gzip)).expect("memory can be read");
    assert_eq!(compression, Some(Compression::Gzip));
    let whole = |bytes| Capture::new(bytes).expect("a capture");
    let none = Capture::new(reader(EMPTY.to_vec())).expect("a capture");
    let merged = [("some".to_owned(), whole(reader(capture.to_vec()))), ("none".to_owned(), none)];
    vec![
        ("gzip", Box::new(whole(gzip)) as Box<dyn Packets>),
        ("merged", Box::new(Merged::new(merged))),
        ("sorted within nothing", Box::new(Sorted::new(whole(reader(capture.to_vec())), Duration::ZERO))),
    ]
}

/// A capture without packets.
const EMPTY: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];

#[test]
fn every_capture_has_the_flows_expected() {
    let Some(folder) = folder() else {
        // Does not use `eprintln`, because the test harness captures it.
        let _ = std::io::stderr().write_all(b"SKIPPED: no captures; set FLOW_TABLE_CAPTURES to their folder\n");
        return;
    };
    let expected = fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).expect("what this test knows");
    assert!(!expected.is_empty());
    thread::scope(|scope| {
        for (name, expected) in &expected {
            for &backend in common::backends() {
                let folder = &folder;
                scope.spawn(move || check(&folder.join(name), backend, expected));
            }
        }
    });
}

fn folder() -> Option<PathBuf> {
    match env::var_os("FLOW_TABLE_CAPTURES") {
        Some(folder) => Some(folder.into()),
        None => {
            let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
            beside.is_dir().then_some(beside)
        }
    }
}

fn check(path: &Path, backend: Backend, expected: &Expected) {
    let capture = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (name, policy) in &expected.policy {
        let protocols = match name.as_str() {
            "all" => Protocols::All,
            "l4" => Protocols::L4,
            other => panic!("unknown policy {other}"),
        };
        for direction in [FlowDirection::Uni, FlowDirection::Bidi] {
            for (timeout, flows) in policy.runs(direction) {
                let context = format!("{}, {backend}, {name}, {direction:?}, {timeout} s", path.display());
                let options = common::options(timeout, direction, protocols);
                let (summary, lines) = common::replay(backend, &capture, &options);
                check_packets(&summary, expected, policy, &context);
                check_flows(&summary, &lines, &flows, &context);
            }
        }
    }
}

fn check_packets(summary: &Summary, expected: &Expected, policy: &Policy, context: &str) {
    assert_eq!(!summary.errors.is_empty(), expected.file_error.is_some(), "{context}");
    assert_eq!(summary.frames.packets, expected.packets, "{context}");
    assert_eq!(summary.frames.bytes, expected.wire_bytes, "{context}");
    assert_eq!(summary.frames.span.map(|(_, last)| last), Some(expected.last_ns), "{context}");
    assert_eq!(summary.ip_packets(), expected.ip_packets, "{context}");
    let malformed = summary.skipped.get(&Skip::MalformedIp).copied().unwrap_or_default();
    assert_eq!(malformed, expected.malformed_ip, "{context}");
    assert_eq!(summary.selected.packets, policy.packets, "{context}");
    assert_eq!(summary.selected.ip_bytes, policy.ip_bytes, "{context}");
    assert_eq!(summary.selected.wire_bytes, policy.wire_bytes, "{context}");
}

fn check_flows(summary: &Summary, lines: &[String], expected: &Flows, context: &str) {
    assert_eq!(summary.totals.refused, 0, "{context}");
    assert_eq!(summary.totals.flows, summary.flows.count(), "each flow ends once: {context}");
    assert_eq!(summary.flows.count(), lines.len() as u64, "each flow is exported once: {context}");
    assert_eq!(summary.flows.count(), expected.flows_mono.unwrap_or(expected.flows), "{context}");
    assert_eq!(summary.totals.peak_live as u64, expected.peak_live, "{context}");
    assert_eq!(summary.totals.live_at_end as u64, expected.live_at_end, "{context}");
    if expected.flows_mono.is_none() {
        assert_eq!(common::digest(lines), expected.digest, "{context}");
    }
}
