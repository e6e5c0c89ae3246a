//! What stands inside blocks of pcapng that are whole.

use pcap_parser::{
    InterfaceDescriptionBlock, OptionCode, parse_enhancedpacketblock_be, parse_enhancedpacketblock_le,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};

use super::Problem;
use super::bytes::Endian;
use super::time::Resolution;
use crate::packet::LinkType;

/// Type and length.
pub(super) const HEAD: usize = 8;
/// The length again.
pub(super) const TAIL: usize = 4;

/// An interface of a section.
#[derive(Clone, Copy)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    snaplen: u32,
    pub(super) resolution: Resolution,
}

/// What the packet blocks have in common. `data` may be longer than `captured`.
pub(super) struct Fields<'b> {
    pub(super) interface: u32,
    pub(super) ticks: u64,
    pub(super) captured: u32,
    pub(super) original: u32,
    pub(super) data: &'b [u8],
}

impl<'b> Fields<'b> {
    pub(super) fn enhanced(block: &'b [u8], endian: Endian) -> Result<Self, Problem> {
        let parse = match endian {
            Endian::Little => parse_enhancedpacketblock_le,
            Endian::Big => parse_enhancedpacketblock_be,
        };
        let (_, epb) = parse(block).map_err(|_| Problem::Block("enhanced packet block"))?;
        let ticks = u64::from(epb.ts_high) << 32 | u64::from(epb.ts_low);
        Ok(Self { interface: epb.if_id, ticks, captured: epb.caplen, original: epb.origlen, data: epb.data })
    }

    /// A packet without time, of the section's first interface, whose snapshot length tells how much was captured.
    pub(super) fn simple(block: &'b [u8], endian: Endian, interfaces: &[Interface]) -> Result<Self, Problem> {
        let (field, data) = body(block).split_at_checked(4).ok_or(Problem::Block("simple packet block"))?;
        let [original] = endian.words(field).ok_or(Problem::Block("simple packet block"))?;
        let room = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let snaplen = interfaces.first().ok_or(Problem::Interface(0))?.snaplen;
        let captured = original.min(room).min(if snaplen == 0 { u32::MAX } else { snaplen });
        Ok(Self { interface: 0, ticks: 0, captured, original, data })
    }

    pub(super) fn obsolete(block: &'b [u8], endian: Endian) -> Result<Self, Problem> {
        const MALFORMED: Problem = Problem::Block("packet block");
        let (fields, data) = body(block).split_at_checked(20).ok_or(MALFORMED)?;
        let [_, high, low, captured, original] = endian.words(fields).ok_or(MALFORMED)?;
        // A count of drops shares the first word with the interface.
        let interface = u32::from(endian.u16(*fields.first_chunk().ok_or(MALFORMED)?));
        Ok(Self { interface, ticks: u64::from(high) << 32 | u64::from(low), captured, original, data })
    }
}

impl Interface {
    pub(super) fn parse(block: &[u8], endian: Endian) -> Result<Self, Problem> {
        let parse = match endian {
            Endian::Little => parse_interfacedescriptionblock_le,
            Endian::Big => parse_interfacedescriptionblock_be,
        };
        let (_, idb) = parse(block).map_err(|_| Problem::Block("interface description block"))?;
        // The link type stands in 16 bits.
        let link = LinkType::new(idb.linktype.0 as u16);
        Ok(Self { link, snaplen: idb.snaplen, resolution: resolution(&idb, endian) })
    }
}

/// The parser reads the offset as little-endian always, and reads on after the end of options.
fn resolution(idb: &InterfaceDescriptionBlock<'_>, endian: Endian) -> Resolution {
    let mut resolution = Resolution::MICROSECONDS;
    for option in idb.options.iter().take_while(|option| option.code != OptionCode::EndOfOpt) {
        match (option.code, option.as_bytes()) {
            (OptionCode::IfTsresol, Ok(&[unit])) => resolution.unit = unit,
            (OptionCode::IfTsoffset, Ok(&[a, b, c, d, e, f, g, h])) => {
                resolution.offset_seconds = endian.i64([a, b, c, d, e, f, g, h]);
            }
            _ => {}
        }
    }
    resolution
}

/// What stands between the two lengths.
fn body(block: &[u8]) -> &[u8] {
    block.get(HEAD..block.len().saturating_sub(TAIL)).unwrap_or_default()
}
