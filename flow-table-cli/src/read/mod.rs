//! Captures: pcap and pcapng, read as a stream.
//!
//! The framing is our own: it keeps the offset of each record for error messages, bounds memory whatever lengths a file
//! states, and covers what `pcap-parser`'s readers do not (swapped lengths of old files, the big-endian modified format,
//! obsolete packet blocks). What stands inside file headers and options is `pcap-parser`'s to read.
//!
//! A reader's memory is a buffer and the interfaces of one pcapng section. The buffer is half a mebibyte long and
//! grows to the length of a block that is read whole, at most 16 MiB. A section has at most [`INTERFACE_LIMIT`]
//! interfaces.
//! Blocks of no use are skipped, whatever their length.

mod block;
mod bytes;
mod error;
mod pcap;
mod pcapng;
mod source;
#[cfg(test)]
mod tests;
mod time;

use std::io::Read;

pub use error::{Problem, ReadError};

use crate::packet::LinkType;
use source::Source;

/// The most bytes captured of a packet: what capture tools write, and libpcap reads.
pub const CAPTURED_LIMIT: u32 = 262_144;
/// The most interfaces of a pcapng section: each takes memory for as long as the section lasts.
pub const INTERFACE_LIMIT: usize = 65_536;

/// A packet as it stands in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'c> {
    /// What the frame starts with.
    pub link: LinkType,
    /// Nanoseconds since the epoch of the capture, normally 1970.
    pub timestamp: i128,
    /// The captured bytes of the frame.
    pub data: &'c [u8],
    /// The length of the frame on the wire, in bytes.
    pub wire_len: u32,
}

/// A capture being read.
pub struct Capture<R> {
    source: Source<R>,
    format: Format,
}

enum Format {
    Pcap(pcap::Header),
    Pcapng(pcapng::Section),
}

impl<R: Read> Capture<R> {
    /// Recognizes the format, by its magic number.
    ///
    /// # Errors
    ///
    /// If it is none, or the file header is cut off, or the system cannot read.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut source = Source::new(input);
        let format = match pcap::Header::read(&mut source)? {
            Some(header) => Format::Pcap(header),
            None => match source.peek(4).map_err(|error| Problem::Io(error).at(0))? {
                magic if magic == pcapng::MAGIC => Format::Pcapng(pcapng::Section::new()),
                [0x1f, 0x8b, ..] => return Err(Problem::Compressed.at(0)),
                _ => return Err(Problem::NotACapture.at(0)),
            },
        };
        Ok(Self { source, format })
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the next record or block cannot be read. There is no way on after that.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        match &mut self.format {
            Format::Pcap(header) => header.next(&mut self.source),
            Format::Pcapng(section) => section.next(&mut self.source),
        }
    }

    /// The number of bytes read so far.
    pub const fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// The format in words, as far as it is known by now.
    pub fn describe(&self) -> String {
        match &self.format {
            Format::Pcap(header) => header.describe(),
            Format::Pcapng(section) => section.describe(),
        }
    }
}
