use std::io::Read;

use super::error::{Problem, ReadError};
use super::packet::Packet;
use super::packets::Packets;
use super::source::Source;
use super::{pcap, pcapng};

/// A capture being read.
pub struct Capture<R> {
    source: Source<R>,
    format: Format,
}

enum Format {
    Pcap(pcap::Header),
    Pcapng(pcapng::Section),
}

impl<R: Read> Packets for Capture<R> {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        Self::next_packet(self)
    }

    fn goes_on(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        Self::describe(self)
    }
}

impl<R: Read> Capture<R> {
    /// Recognizes the format by its magic number.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no known magic number, the file header is cut off, or the system cannot read.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut source = Source::new(input);
        source.wait_for(4).map_err(|error| Problem::Io(error).at(0))?;
        let format = match pcap::Header::read(&mut source)? {
            Some(header) => Format::Pcap(header),
            None => match source.peek(4).map_err(|error| Problem::Io(error).at(0))? {
                magic if magic == pcapng::MAGIC => Format::Pcapng(pcapng::Section::new()),
                [0x1f, 0x8b, ..] => return Err(Problem::Compressed("gzip").at(0)),
                [0xfd, b'7', b'z', b'X'] => return Err(Problem::Compressed("xz").at(0)),
                b"BZh9" => return Err(Problem::Compressed("bzip2").at(0)),
                _ => return Err(Problem::NotACapture.at(0)),
            },
        };
        Ok(Self { source, format })
    }

    /// Returns the next packet, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns an error if the next record or block cannot be read. Reading cannot continue after that, unless the
    /// error [is idle](ReadError::is_idle).
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

    /// The format in words, as far as it is known so far.
    pub fn describe(&self) -> String {
        match &self.format {
            Format::Pcap(header) => header.describe(),
            Format::Pcapng(section) => section.describe(),
        }
    }
}
