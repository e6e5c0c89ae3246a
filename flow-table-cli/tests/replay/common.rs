//! Code that the tests over captures share.

use std::ops::ControlFlow;

use clap::ValueEnum;
use flow_table_cli::backend::Backend;
use flow_table_cli::capture::Options;
use flow_table_cli::direction::FlowDirection;
use flow_table_cli::idle::IdleTimeout;
use flow_table_cli::keyer::Keying;
use flow_table_cli::output::Chunk;
use flow_table_cli::output::export::{Exporter, Format};
use flow_table_cli::protocols::Protocols;
use flow_table_cli::read::{Capture, Packets};
use flow_table_cli::record::Orientation;
use flow_table_cli::replay::Ends;
use flow_table_cli::summary::{Summary, View};
use sha2::{Digest, Sha256};

/// All backends that were built in.
pub fn backends() -> &'static [Backend] {
    Backend::value_variants()
}

pub fn options(timeout: &str, direction: FlowDirection, protocols: Protocols) -> Options {
    let timeout = timeout.parse::<IdleTimeout>().expect("a duration").timeout();
    let both = direction == FlowDirection::Bidi;
    Options {
        keying: Keying { direction, protocols, ..Keying::default() },
        ends: Ends { both, ..Ends::idle(timeout) },
        capacity: 1 << 20,
        workers: 1,
        filter: None,
        bpf: None,
        view: View::default(),
    }
}

/// Replays `capture`. Returns the summary and the exported lines, sorted.
pub fn replay(backend: Backend, capture: &[u8], options: &Options) -> (Summary, Vec<String>) {
    match Capture::new(capture) {
        Ok(mut capture) => replay_packets(backend, &mut capture, options),
        Err(error) => (Summary { errors: vec![error.into()], ..Summary::default() }, Vec::new()),
    }
}

/// Replays packets from anywhere.
pub fn replay_packets(backend: Backend, packets: &mut dyn Packets, options: &Options) -> (Summary, Vec<String>) {
    let mut written = Vec::new();
    let mut exporter = Exporter::new(&mut written, Format::Tsv, Orientation::Address, Chunk::DEFAULT)
        .expect("memory takes everything");
    let summary = backend
        .replay(packets, options, &mut |_| ControlFlow::Continue(()), &mut |flow| exporter.write(&flow))
        .expect("only export and memory can fail");
    exporter.finish().expect("memory takes everything");
    let text = String::from_utf8(written).expect("text");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    (summary, lines)
}

/// The SHA-256 of lines, in hexadecimal.
pub fn digest(lines: &[String]) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
