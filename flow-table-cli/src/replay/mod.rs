//! Drives a table with packets, exactly in packet time.

mod change;
mod ends;
mod ledger;
mod sink;

use std::time::Instant;

use anyhow::Result;
use flow_table::{Burst, Flow, FlowKey, Table, Timestamp};

use crate::clock::PacketClock;
use crate::keyed::KeyedPacket;
use crate::record::{End, FlowRecord, Record};

pub(crate) use change::{Balance, Change, Stamp};
pub use ends::{Ends, Totals};
use ledger::{Ledger, record};
pub(crate) use sink::Engine;
pub use sink::Sink;

/// The number of packets in a burst.
pub const BURST: usize = 32;

/// A table, and the packets that wait to go through it.
///
/// Each packet of a burst has its own time, and the burst is opened at the time of the first one, so its look-ups
/// may be early. The refresh makes the result exact, because it is granted only to a flow that is live at the
/// *packet's* time. A packet that found nothing, or whose flow ended within the burst, is looked up again at its
/// own time, after a reap at that time. Only such packets add flows. So the table's length after each of them is
/// the number of live flows, and the largest of these numbers is the true peak.
pub struct Replay<T: Table<FlowKey, Record>> {
    table: T,
    clock: PacketClock,
    keys: Vec<FlowKey>,
    packets: Vec<(Stamp, KeyedPacket)>,
    number: u64,
    ledger: Ledger<T>,
}

impl<T: Table<FlowKey, Record>> Replay<T> {
    /// Makes an empty table for at most `capacity` flows that end as `ends` says.
    pub fn new(capacity: usize, ends: Ends) -> Self {
        Self {
            table: T::new(capacity),
            clock: PacketClock::default(),
            keys: Vec::with_capacity(BURST),
            packets: Vec::with_capacity(BURST),
            number: 0,
            ledger: Ledger::new(ends),
        }
    }

    /// Takes the next packet. When a burst is complete, it goes through the table, and ended flows go to `sink`.
    ///
    /// # Errors
    ///
    /// Returns the error of `sink`, or that of the table if it gets no memory. A full table is not an error.
    pub fn packet(&mut self, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()> {
        let stamp = Stamp { now: self.clock.advance(packet.timestamp), number: self.number };
        self.number += 1;
        self.stamped(stamp, packet, sink)
    }

    /// As [`packet`](Self::packet), at a time that is not before that of any earlier packet.
    pub(crate) fn stamped(&mut self, stamp: Stamp, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()> {
        self.keys.push(packet.key);
        self.packets.push((stamp, packet));
        if self.packets.len() < BURST { Ok(()) } else { self.timed_burst(sink) }
    }

    /// Handles the packets that wait for a burst to be complete, and ends the flows that are due at the last one.
    ///
    /// # Errors
    ///
    /// The same as for [`packet`](Self::packet).
    pub fn flush(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.flush_at(self.clock.now(), sink)
    }

    /// As [`flush`](Self::flush), at a time that is not before that of any earlier packet.
    pub(crate) fn flush_at(&mut self, now: Timestamp, sink: &mut Sink<'_>) -> Result<()> {
        self.timed_burst(sink)?;
        self.ledger.reap(&self.table, now);
        self.ledger.export(sink)
    }

    /// From now on, notes when flows begin and end.
    pub(crate) fn note_changes(&mut self) {
        self.ledger.changes = Some(Vec::new());
    }

    /// The changes since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.ledger.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Handles the packets that wait, and then passes the flows that are still live to `sink`.
    ///
    /// # Errors
    ///
    /// The same as for [`packet`](Self::packet).
    pub fn finish(mut self, sink: &mut Sink<'_>) -> Result<Totals> {
        self.flush(sink)?;
        self.end(sink)
    }

    /// Passes the flows that are still live to `sink`. No packet waits.
    pub(crate) fn end(self, sink: &mut Sink<'_>) -> Result<Totals> {
        let mut totals = self.ledger.totals;
        totals.live_at_end = self.table.len();
        totals.table_bytes = self.table.memory();
        let mut outcome = Ok(());
        self.table.for_each(|flow| {
            if outcome.is_ok() {
                outcome = sink(record(&**flow, End::EndOfCapture));
            }
        });
        outcome.map(|()| totals)
    }

    fn timed_burst(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let started = Instant::now();
        self.burst()?;
        self.ledger.totals.table_time += started.elapsed();
        self.ledger.export(sink)
    }

    fn burst(&mut self) -> Result<()> {
        let Some(&(Stamp { now: opening, .. }, _)) = self.packets.first() else { return Ok(()) };
        self.ledger.reap(&self.table, opening);
        let burst = self.table.burst(opening);
        let mut found = Vec::with_capacity(BURST);
        burst.get_batch(&self.keys, &mut found);
        self.keys.clear();
        for ((stamp, packet), flow) in self.packets.drain(..).zip(found) {
            let counted = flow
                .filter(|flow| flow.refresh(stamp.now))
                .is_some_and(|flow| self.ledger.hit(&self.table, &*flow, || burst.handle(flow), stamp, &packet));
            if !counted {
                self.ledger.miss(&self.table, stamp, &packet)?;
            }
        }
        Ok(())
    }
}

impl<T: Table<FlowKey, Record>> Engine for Replay<T> {
    fn packet(&mut self, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()> {
        Self::packet(self, packet, sink)
    }

    fn advance(&mut self, timestamp: i128) {
        self.clock.advance(timestamp);
    }

    fn flush(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        Self::flush(self, sink)
    }

    fn live(&self, visit: &mut dyn FnMut(FlowRecord)) {
        self.table.for_each(|flow| visit(record(&**flow, End::EndOfCapture)));
    }

    fn finish(self, sink: &mut Sink<'_>) -> Result<Totals> {
        Self::finish(self, sink)
    }
}
