//! The contents of whole blocks of pcapng.
//!
//! `pcap-parser`'s own parsers of blocks collect all options of a block. A block may be full of empty options, and
//! they would take eight times the block's memory. So options are read one at a time, and options of packets are
//! not read at all.

use std::iter;

use pcap_parser::{OptionCode, PcapError, PcapNGOption, parse_option_be, parse_option_le};

use super::bytes::Endian;
use super::error::Problem;
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
        const MALFORMED: Problem = Problem::Block("enhanced packet block");
        let (fields, data) = body(block).split_at_checked(20).ok_or(MALFORMED)?;
        let [interface, high, low, captured, original] = endian.words(fields).ok_or(MALFORMED)?;
        let data = data.get(..captured as usize).ok_or(MALFORMED)?;
        Ok(Self { interface, ticks: u64::from(high) << 32 | u64::from(low), captured, original, data })
    }

    /// A packet without time, of the section's first interface. The interface's snapshot length says how much was
    /// captured.
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
        const MALFORMED: Problem = Problem::Block("interface description block");
        let (fields, options) = body(block).split_at_checked(8).ok_or(MALFORMED)?;
        let link = LinkType::new(endian.u16(*fields.first_chunk().ok_or(MALFORMED)?));
        let [_, snaplen] = endian.words(fields).ok_or(MALFORMED)?;
        Ok(Self { link, snaplen, resolution: resolution(options, endian) })
    }
}

/// Reads the resolution of times from the options. Ignores options that do not fit and those after them.
fn resolution(options: &[u8], endian: Endian) -> Resolution {
    let mut resolution = Resolution::MICROSECONDS;
    for option in each_option(options, endian).take_while(|option| option.code != OptionCode::EndOfOpt) {
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

fn each_option(mut rest: &[u8], endian: Endian) -> impl Iterator<Item = PcapNGOption<'_>> {
    let parse = match endian {
        Endian::Little => parse_option_le::<PcapError<&[u8]>>,
        Endian::Big => parse_option_be,
    };
    iter::from_fn(move || {
        let (behind, option) = parse(rest).ok()?;
        rest = behind;
        Some(option)
    })
}

/// The bytes between the two lengths.
fn body(block: &[u8]) -> &[u8] {
    block.get(HEAD..block.len().saturating_sub(TAIL)).unwrap_or_default()
}
