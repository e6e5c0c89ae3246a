//! Drives a table with packets, exactly in packet time.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use flow_table::{
    Admission, Budget, Burst, Ended, Flow, FlowKey, FlowSpec, InsertError, OnExpiry, Table, Timeout, Timestamp,
};

use crate::clock::PacketClock;
use crate::keyed::KeyedPacket;
use crate::record::{self, End, FlowRecord, Happened, Record};

/// Receives the flows that have ended.
pub type Sink<'s> = dyn FnMut(FlowRecord) -> Result<()> + 's;

/// When flows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// After this time without packets.
    pub idle: Timeout,
    /// A flow that lasts longer gets a record for each such period: with the first packet at or after its end, the
    /// record so far is written, and the next one starts.
    pub active: Option<Duration>,
    /// This long after the last packet since the TCP connection was closed by FIN or RST. A SYN that comes before
    /// starts another flow.
    pub tcp_linger: Option<Duration>,
    /// Whether both directions are one flow, so that both must send FIN.
    pub both: bool,
}

impl Ends {
    /// Flows end only if they are idle for this long.
    pub const fn idle(idle: Timeout) -> Self {
        Self { idle, active: None, tcp_linger: None, both: true }
    }
}

/// The totals of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Flows that began.
    pub flows: u64,
    /// The most flows that were live at one time.
    pub peak_live: usize,
    /// Flows live at the time of the last packet.
    pub live_at_end: usize,
    /// Packets that would have started a flow but found the table full.
    pub refused: u64,
    /// The time spent on the table's work, without the export.
    pub table_time: Duration,
    /// The table's memory at the end, in bytes.
    pub table_bytes: usize,
}

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
    packets: Vec<(Timestamp, KeyedPacket)>,
    ledger: Ledger<T>,
}

impl<T: Table<FlowKey, Record>> Replay<T> {
    /// Makes an empty table for at most `capacity` flows that end as `ends` says.
    pub fn new(capacity: usize, ends: Ends) -> Self {
        let rules = record::Rules { active: ends.active, tcp_end: ends.tcp_linger.is_some(), both: ends.both };
        Self {
            table: T::new(capacity),
            clock: PacketClock::default(),
            keys: Vec::with_capacity(BURST),
            packets: Vec::with_capacity(BURST),
            ledger: Ledger { ends, rules, ended: Vec::new(), cut: Vec::new(), totals: Totals::default() },
        }
    }

    /// Takes the next packet. When a burst is complete, it goes through the table, and ended flows go to `sink`.
    ///
    /// # Errors
    ///
    /// Returns the error of `sink`, or that of the table if it gets no memory. A full table is not an error.
    pub fn packet(&mut self, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()> {
        let now = self.clock.advance(packet.timestamp);
        self.packet_at(now, packet, sink)
    }

    /// As [`packet`](Self::packet), at a time that is not before that of any earlier packet.
    ///
    /// # Errors
    ///
    /// The same as for [`packet`](Self::packet).
    pub fn packet_at(&mut self, now: Timestamp, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()> {
        self.keys.push(packet.key);
        self.packets.push((now, packet));
        if self.packets.len() < BURST { Ok(()) } else { self.timed_burst(sink) }
    }

    /// Handles the packets that wait for a burst to be complete, and ends the flows that are due at the last one.
    ///
    /// # Errors
    ///
    /// The same as for [`packet`](Self::packet).
    pub fn flush(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.timed_burst(sink)?;
        self.ledger.reap(&self.table, self.clock.now());
        self.ledger.export(sink)
    }

    /// Handles the packets that wait, and then passes the flows that are still live to `sink`.
    ///
    /// # Errors
    ///
    /// The same as for [`packet`](Self::packet).
    pub fn finish(mut self, sink: &mut Sink<'_>) -> Result<Totals> {
        self.flush(sink)?;

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
        let Some(&(opening, _)) = self.packets.first() else { return Ok(()) };
        self.ledger.reap(&self.table, opening);
        let burst = self.table.burst(opening);
        let mut found = Vec::with_capacity(BURST);
        burst.get_batch(&self.keys, &mut found);
        self.keys.clear();
        for ((now, packet), flow) in self.packets.drain(..).zip(found) {
            let counted = flow
                .filter(|flow| flow.refresh(now))
                .is_some_and(|flow| self.ledger.hit(&self.table, &*flow, || burst.handle(flow), now, &packet));
            if !counted {
                self.ledger.miss(&self.table, now, &packet)?;
            }
        }
        Ok(())
    }
}

/// The results of the table.
struct Ledger<T: Table<FlowKey, Record>> {
    ends: Ends,
    rules: record::Rules,
    ended: Vec<Ended<T::Ref>>,
    /// Records of flows that go on, or that ended without the table's doing.
    cut: Vec<FlowRecord>,
    totals: Totals,
}

impl<T: Table<FlowKey, Record>> Ledger<T> {
    fn reap(&mut self, table: &T, now: Timestamp) {
        table.reap_with(now, Budget::UNLIMITED, |ended| self.ended.push(ended));
    }

    /// Adds a packet to a flow that is live. Returns `false` if the flow ends before the packet instead.
    fn hit(
        &mut self,
        table: &T,
        flow: &impl Flow<FlowKey, Record>,
        handle: impl FnOnce() -> Option<T::Ref>,
        now: Timestamp,
        packet: &KeyedPacket,
    ) -> bool {
        let happened = flow.value().add(flow.key(), packet, now, &self.rules, |record| self.cut.push(record));
        match happened {
            Happened::Nothing => true,
            Happened::Closed => {
                self.close(table, handle(), now);
                true
            }
            Happened::Reopened => {
                self.remove(table, handle());
                false
            }
        }
    }

    /// Lets a flow whose connection has ended linger.
    fn close(&mut self, table: &T, handle: Option<T::Ref>, now: Timestamp) {
        match self.ends.tcp_linger {
            Some(Duration::ZERO) => self.remove(table, handle),
            Some(linger) => {
                if let Some(flow) = handle {
                    flow.set_timeout(linger, now).expect("it is live");
                }
            }
            None => {}
        }
    }

    fn remove(&mut self, table: &T, handle: Option<T::Ref>) {
        let Some(flow) = handle else { return };
        if table.remove_flow(&flow).expect("it is of this table") {
            self.cut.push(record(&*flow, End::IdleTimeout));
        }
    }

    fn miss(&mut self, table: &T, now: Timestamp, packet: &KeyedPacket) -> Result<()> {
        self.reap(table, now);
        let spec = FlowSpec::new(packet.key).timeout(self.ends.idle).on_expiry(OnExpiry::Remove);
        match table.get_or_insert_with(spec, now, || Record::new(packet, now, &self.rules)) {
            Ok(Admission::Inserted(flow)) => {
                self.totals.flows += 1;
                self.totals.peak_live = self.totals.peak_live.max(table.len());
                if self.rules.tcp_end && flow.value().is_closed() {
                    self.close(table, Some(flow), now);
                }
            }
            // An earlier packet of the burst began it. It is live at `now`, so the refresh is granted.
            Ok(Admission::Existing { holder, .. }) => {
                holder.refresh(now);
                if !self.hit(table, &*holder, || Some(holder.clone()), now, packet) {
                    return self.miss(table, now, packet);
                }
            }
            Err(InsertError::Full { .. }) => self.totals.refused += 1,
            Err(error) => return Err(anyhow!("{error}").context("cannot insert a flow")),
        }
        Ok(())
    }

    fn export(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.cut.drain(..).try_for_each(&mut *sink)?;
        self.ended.drain(..).try_for_each(|ended| sink(record(&*ended.flow, End::IdleTimeout)))
    }
}

fn record(flow: &impl Flow<FlowKey, Record>, end: End) -> FlowRecord {
    flow.value().record(flow.key(), end)
}
