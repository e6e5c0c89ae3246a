//! What the fuzz targets do with their bytes. Each target accepts any bytes, and panics if something is wrong.
//!
//! | target | bytes | what must hold |
//! |---|---|---|
//! | [`operations_custom`, `operations_dashmap`](operations) | a configuration and steps | what the model allows |
//! | [`capture`] | a capture | the same packets however the bytes arrive; a cut only takes the last ones |
//! | [`packet`] | a link type and a frame | a packet is found where it is, also if its end is cut off |
//! | [`records`] | batches of a replicated table's log | a standby reads them, within its bounds |
//! | [`replay`] | options and a capture | both backends return the same flows, which add up to the packets |
//! | [`filter`] | a text | what is parsed survives being written, and its negation is its opposite |
//! | [`bpf`] | a program and a frame | the program ends as an interpreter of numbers does |
//! | [`config`] | a file of options | what it stands for are options, which win over it |
//! | [`decompress`] | a compressed file | the same however the bytes arrive |
//! | [`text`] | a text | keys and timeouts survive being written and parsed |
//!
//! The programs for `cargo fuzz` are in `fuzz/`, with the corpus. The tests of this crate run the targets over the
//! corpus on any toolchain.

#![forbid(unsafe_code)]

pub mod bpf;
pub mod capture;
pub mod config;
pub mod decompress;
pub mod filter;
pub mod operations;
pub mod packet;
pub mod records;
pub mod replay;
pub mod seeds;
mod steps;
pub mod text;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its corpus.
    pub name: &'static str,
    /// Panics if something is wrong.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 11] = [
    Target { name: "operations_custom", check: operations::custom },
    Target { name: "operations_dashmap", check: operations::dashmap },
    Target { name: "bpf", check: bpf::check },
    Target { name: "config", check: config::check },
    Target { name: "capture", check: capture::check },
    Target { name: "packet", check: packet::check },
    Target { name: "records", check: records::check },
    Target { name: "replay", check: replay::check },
    Target { name: "text", check: text::check },
    Target { name: "filter", check: filter::check },
    Target { name: "decompress", check: decompress::check },
];
