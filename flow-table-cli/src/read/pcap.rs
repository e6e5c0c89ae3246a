//! The classic format: a file header, then records.

use std::io::Read;

use pcap_parser::parse_pcap_header;

use super::bytes::Endian;
use super::error::{Problem, ReadError};
use super::packet::{CAPTURED_LIMIT, Packet};
use super::source::Source;
use crate::packet::LinkType;

/// The contents of the file header.
#[derive(Debug)]
pub(super) struct Header {
    endian: Endian,
    /// Nanoseconds per unit of the sub-second field.
    subsecond_unit: u32,
    record_header: usize,
    minor: u16,
    link: LinkType,
}

pub(super) const MAGICS: [([u8; 4], Endian, u32, usize); 6] = [
    ([0xd4, 0xc3, 0xb2, 0xa1], Endian::Little, 1_000, 16),
    ([0xa1, 0xb2, 0xc3, 0xd4], Endian::Big, 1_000, 16),
    ([0x4d, 0x3c, 0xb2, 0xa1], Endian::Little, 1, 16),
    ([0xa1, 0xb2, 0x3c, 0x4d], Endian::Big, 1, 16),
    // Kuznetzov's format, whose records have eight more bytes.
    ([0x34, 0xcd, 0xb2, 0xa1], Endian::Little, 1_000, 24),
    ([0xa1, 0xb2, 0xcd, 0x34], Endian::Big, 1_000, 24),
];
const HEADER: usize = 24;

impl Header {
    /// Reads the file header. Returns `None` if the magic number is that of another format.
    pub(super) fn read<R: Read>(source: &mut Source<R>) -> Result<Option<Self>, ReadError> {
        let io = |error| Problem::Io(error).at(0);
        let magic = source.peek(4).map_err(io)?;
        let Some(&(_, endian, subsecond_unit, record_header)) = MAGICS.iter().find(|(known, ..)| known == magic)
        else {
            return Ok(None);
        };
        source.wait_for(HEADER).map_err(io)?;
        let mut bytes: [u8; HEADER] = match source.take(HEADER).map_err(io)? {
            Some(bytes) => bytes.try_into().expect("as many as asked for"),
            None => return Err(Problem::HeaderCutOff.at(0)),
        };
        // The parser does not know every magic number, but it knows the plain ones of both byte orders.
        bytes[..4].copy_from_slice(match endian {
            Endian::Little => &MAGICS[0].0,
            Endian::Big => &MAGICS[1].0,
        });
        let (_, header) = parse_pcap_header(&bytes).map_err(|_| Problem::HeaderCutOff.at(0))?;
        // The upper half describes frame check sequences.
        let link = LinkType::new(header.network.0 as u16);
        Ok(Some(Self { endian, subsecond_unit, record_header, minor: header.version_minor, link }))
    }

    pub(super) fn next<'s, R: Read>(&self, source: &'s mut Source<R>) -> Result<Option<Packet<'s>>, ReadError> {
        let start = source.offset();
        let io = |error| Problem::Io(error).at(start);
        if source.peek(1).map_err(io)?.is_empty() {
            return Ok(None);
        }
        // Nothing is consumed before the whole record is there, so that idle input can be asked again.
        let header = source.peek(self.record_header).map_err(io)?;
        let whole = header.len() == self.record_header;
        let Some([seconds, subseconds, mut captured, mut original]) = self.endian.words(header).filter(|_| whole)
        else {
            return Err(Problem::CutOff("record header").at(start));
        };
        // Files before version 2.3 have the two lengths swapped, and some files of version 2.3, too.
        if self.minor < 3 || self.minor == 3 && captured > original {
            (captured, original) = (original, captured);
        }
        if captured > CAPTURED_LIMIT {
            return Err(Problem::CapturedLength { length: captured, limit: CAPTURED_LIMIT }.at(start));
        }
        let timestamp =
            i128::from(seconds) * 1_000_000_000 + i128::from(subseconds) * i128::from(self.subsecond_unit);
        match source.take(self.record_header + captured as usize).map_err(io)? {
            Some(record) => {
                let data = &record[self.record_header..];
                Ok(Some(Packet { link: self.link, timestamp, data, wire_len: original }))
            }
            None => Err(Problem::CutOff("record data").at(start)),
        }
    }

    pub(super) fn describe(&self) -> String {
        let unit = if self.subsecond_unit == 1 { "ns" } else { "µs" };
        let modified = if self.record_header == 16 { "" } else { ", modified" };
        format!("pcap, {unit}, {}-endian{modified}, {}", self.endian, self.link)
    }
}
