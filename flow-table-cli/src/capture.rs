//! One capture through one table.

use std::io::Read;

use anyhow::Result;
use flow_table::{FlowKey, Table, Timeout};

use crate::direction::FlowDirection;
use crate::keyed::KeyedPacket;
use crate::packet::{IpPacket, Skip};
use crate::protocols::Protocols;
use crate::read::{Capture, Packet};
use crate::record::Record;
use crate::replay::{BURST, Replay, Sink};
use crate::summary::{Flows, Summary};

/// How packets become flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When flows expire.
    pub timeout: Timeout,
    /// Whether both directions are one flow.
    pub direction: FlowDirection,
    /// Which packets count.
    pub protocols: Protocols,
    /// The most flows in the table.
    pub capacity: usize,
}

/// Called from time to time with the number of bytes read.
pub type Progress<'p> = dyn FnMut(u64) + 'p;

/// Replays the capture `input` through a table of type `T`. Every flow goes to `sink` when it ends, and the last
/// ones at the end of the capture. If the capture cannot be read to its end, the packets before count, and the
/// summary states the reason.
///
/// # Errors
///
/// Returns the error of `sink`, or that of a table that gets no memory.
pub fn replay<T: Table<FlowKey, Record>>(
    input: impl Read,
    options: &Options,
    progress: &mut Progress<'_>,
    sink: &mut Sink<'_>,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut capture = match Capture::new(input) {
        Ok(capture) => capture,
        Err(error) => {
            summary.error = Some(error.into());
            return Ok(summary);
        }
    };
    let mut flows = Flows::default();
    let mut ended = |flow| {
        flows.add(&flow);
        sink(flow)
    };
    let mut replay = Replay::<T>::new(options.capacity, options.timeout);
    loop {
        let packet = match capture.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(error) => {
                summary.error = Some(error.into());
                break;
            }
        };
        summary.frames.add(&packet);
        match keyed(&packet, options) {
            Ok(Some(keyed)) => {
                summary.selected.add(&keyed);
                replay.packet(keyed, &mut ended)?;
            }
            Ok(None) => summary.unselected += 1,
            Err(skip) => *summary.skipped.entry(skip).or_default() += 1,
        }
        if summary.frames.packets.is_multiple_of(BURST as u64) {
            progress(capture.offset());
        }
    }
    progress(capture.offset());
    summary.format = Some(capture.describe());
    summary.totals = replay.finish(&mut ended)?;
    summary.flows = flows;
    Ok(summary)
}

/// Returns the packet with the key of its flow, or `None` if its protocol is not selected.
fn keyed(packet: &Packet<'_>, options: &Options) -> Result<Option<KeyedPacket>, Skip> {
    let IpPacket { key, class, ip_bytes } = IpPacket::parse(packet.link, packet.data, packet.wire_len)?;
    if options.protocols == Protocols::L4 && !class.is_l4() {
        return Ok(None);
    }
    let key = match options.direction {
        FlowDirection::Uni => key,
        FlowDirection::Bidi => key.canonical().0,
    };
    Ok(Some(KeyedPacket { key, timestamp: packet.timestamp, ip_bytes, wire_bytes: packet.wire_len.into() }))
}
