//! The block format: sections, whose blocks describe interfaces or contain packets.

use std::io::Read;

use pcap_parser::{EPB_MAGIC, IDB_MAGIC, SHB_MAGIC, SPB_MAGIC};

use super::block::{Fields, HEAD, Interface, TAIL};
use super::bytes::Endian;
use super::error::{Problem, ReadError};
use super::packet::{CAPTURED_LIMIT, INTERFACE_LIMIT, Packet};
use super::source::Source;

pub(super) const MAGIC: [u8; 4] = SHB_MAGIC.to_be_bytes();
/// The block that enhanced packet blocks replaced.
const OBSOLETE_PACKET: u32 = 2;
/// Larger than any block that is needed. Other blocks are skipped unread, whatever their length.
const BLOCK_LIMIT: u32 = 16 * 1024 * 1024;

/// The section being read.
pub(super) struct Section {
    endian: Endian,
    interfaces: Vec<Interface>,
}

impl Section {
    pub(super) const fn new() -> Self {
        Self { endian: Endian::Little, interfaces: Vec::new() }
    }

    pub(super) fn next<'s, R: Read>(
        &mut self,
        source: &'s mut Source<R>,
    ) -> Result<Option<Packet<'s>>, ReadError> {
        loop {
            let start = source.offset();
            let head = source.peek(HEAD + TAIL).map_err(|error| Problem::Io(error).at(start))?;
            if head.is_empty() {
                return Ok(None);
            }
            if head.starts_with(&MAGIC) {
                self.endian = byte_order(head).map_err(|problem| problem.at(start))?;
                self.interfaces.clear();
            }
            let Some([kind, length, _]) = self.endian.words(head) else {
                return Err(Problem::CutOff("block header").at(start));
            };
            if (length as usize) < HEAD + TAIL || !length.is_multiple_of(4) {
                return Err(Problem::BlockLength(length).at(start));
            }
            match kind {
                IDB_MAGIC => {
                    let block = whole_block(source, self.endian, length)?;
                    let interface = Interface::parse(block, self.endian);
                    interface.and_then(|interface| self.add(interface)).map_err(|problem| problem.at(start))?;
                }
                EPB_MAGIC | SPB_MAGIC | OBSOLETE_PACKET => {
                    let block = whole_block(source, self.endian, length)?;
                    return self.packet(kind, block).map(Some).map_err(|problem| problem.at(start));
                }
                _ => skip_block(source, self.endian, length)?,
            }
        }
    }

    fn add(&mut self, interface: Interface) -> Result<(), Problem> {
        if self.interfaces.len() == INTERFACE_LIMIT {
            return Err(Problem::Interfaces { limit: INTERFACE_LIMIT });
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn packet<'b>(&self, kind: u32, block: &'b [u8]) -> Result<Packet<'b>, Problem> {
        let fields = match kind {
            EPB_MAGIC => Fields::enhanced(block, self.endian)?,
            SPB_MAGIC => Fields::simple(block, self.endian, &self.interfaces)?,
            _ => Fields::obsolete(block, self.endian)?,
        };
        if fields.captured > CAPTURED_LIMIT {
            return Err(Problem::CapturedLength { length: fields.captured, limit: CAPTURED_LIMIT });
        }
        let data = fields.data.get(..fields.captured as usize).ok_or(Problem::Block("packet block"))?;
        let interface = usize::try_from(fields.interface).ok().and_then(|index| self.interfaces.get(index));
        let interface = interface.ok_or(Problem::Interface(fields.interface))?;
        let timestamp = interface.resolution.timestamp(fields.ticks);
        Ok(Packet { link: interface.link, timestamp, data, wire_len: fields.original })
    }

    pub(super) fn describe(&self) -> String {
        let interfaces = match self.interfaces.as_slice() {
            [one] => one.link.to_string(),
            many => format!("{} interfaces", many.len()),
        };
        format!("pcapng, {}-endian, {interfaces}", self.endian)
    }
}

/// The byte order of a section, from the field after type and length. Any byte order if that field is cut off.
fn byte_order(head: &[u8]) -> Result<Endian, Problem> {
    match head.get(HEAD..).and_then(<[u8]>::first_chunk) {
        Some([0x4d, 0x3c, 0x2b, 0x1a]) | None => Ok(Endian::Little),
        Some([0x1a, 0x2b, 0x3c, 0x4d]) => Ok(Endian::Big),
        Some(&other) => Err(Problem::ByteOrder(other)),
    }
}

fn whole_block<R: Read>(source: &mut Source<R>, endian: Endian, length: u32) -> Result<&[u8], ReadError> {
    let start = source.offset();
    if length > BLOCK_LIMIT {
        return Err(Problem::BlockTooLong { length, limit: BLOCK_LIMIT }.at(start));
    }
    let block = source.take(length as usize).map_err(|error| Problem::Io(error).at(start))?;
    let block = block.ok_or_else(|| Problem::CutOff("block").at(start))?;
    same_lengths(endian, length, &block[block.len() - TAIL..]).map_err(|problem| problem.at(start))?;
    Ok(block)
}

fn skip_block<R: Read>(source: &mut Source<R>, endian: Endian, length: u32) -> Result<(), ReadError> {
    let start = source.offset();
    let io = |error| Problem::Io(error).at(start);
    source.skip(u64::from(length) - TAIL as u64).map_err(io)?;
    source.wait_for(TAIL).map_err(io)?;
    let tail = source.take(TAIL).map_err(io)?.ok_or_else(|| Problem::CutOff("block").at(start))?;
    same_lengths(endian, length, tail).map_err(|problem| problem.at(start))
}

fn same_lengths(endian: Endian, first: u32, tail: &[u8]) -> Result<(), Problem> {
    match endian.words(tail) {
        Some([last]) if last != first => Err(Problem::BlockLengthsDiffer { first, last }),
        _ => Ok(()),
    }
}
