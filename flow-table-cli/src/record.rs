//! What is recorded about flows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use flow_table::FlowKey;

use crate::keyed::KeyedPacket;

/// The value of a flow: the sums over its packets.
#[derive(Debug)]
pub struct Record(Mutex<Tally>);

/// The sums of one flow, with the packets' own times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The time of the flow's first packet, in nanoseconds.
    pub first_ns: i128,
    /// The largest time of its packets, in nanoseconds.
    pub last_ns: i128,
    /// Packets.
    pub packets: u64,
    /// The sum of their lengths, from their IP headers.
    pub ip_bytes: u64,
    /// The sum of their lengths on the wire.
    pub wire_bytes: u64,
}

impl Record {
    /// The record of a flow that starts with `packet`.
    pub(crate) const fn new(packet: &KeyedPacket) -> Self {
        Self(Mutex::new(Tally {
            first_ns: packet.timestamp,
            last_ns: packet.timestamp,
            packets: 1,
            ip_bytes: packet.ip_bytes,
            wire_bytes: packet.wire_bytes,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds another packet of the flow.
    pub(crate) fn add(&self, packet: &KeyedPacket) {
        let mut tally = self.lock();
        tally.last_ns = tally.last_ns.max(packet.timestamp);
        tally.packets += 1;
        tally.ip_bytes = tally.ip_bytes.saturating_add(packet.ip_bytes);
        tally.wire_bytes = tally.wire_bytes.saturating_add(packet.wire_bytes);
    }

    /// The sums so far.
    pub fn tally(&self) -> Tally {
        *self.lock()
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// No packet came within the idle timeout.
    IdleTimeout,
    /// The capture was over.
    EndOfCapture,
}

/// A flow that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Its key.
    pub key: FlowKey,
    /// Its sums.
    pub tally: Tally,
    /// Why it ended.
    pub end: End,
}
