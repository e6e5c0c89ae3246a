//! The value of a flow in the table.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flow_table::{FlowKey, Timestamp};

use super::end::End;
use super::flow::FlowRecord;
use super::tally::Tally;
use crate::keyed::KeyedPacket;
use crate::packet::Tunnel;
use crate::packet::tcp::{ACK, FIN, RST, SYN};

/// The value of a flow: what is known about its packets.
#[derive(Debug)]
pub struct Record(Mutex<State>);

/// Most flows of a scan have one packet, so only what one packet needs is stored in place.
#[derive(Debug)]
struct State {
    /// The direction that `first` counts.
    reversed: bool,
    first: Tally,
    other: Option<Box<Tally>>,
    /// Since when there is the current record.
    since: Timestamp,
    /// Who started the flow: at first, and by SYN.
    first_reversed: bool,
    syn_reversed: Option<bool>,
    /// Which directions have sent FIN.
    fin: [bool; 2],
    closed: Option<End>,
    tunnel: Option<Arc<Tunnel>>,
}

/// When records end other than by an idle timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// After this time a flow gets another record.
    pub(crate) active: Option<Duration>,
    /// Whether the end of a TCP connection ends the flow.
    pub(crate) tcp_end: bool,
    /// Whether both directions are one flow, so that both must send FIN.
    pub(crate) both: bool,
}

/// What a packet brought about.
#[derive(Debug)]
pub(crate) enum Happened {
    /// It was counted.
    Nothing,
    /// It was counted, and the TCP connection is closed since this packet.
    Closed,
    /// It belongs to a new connection. It was not counted.
    Reopened,
}

impl Record {
    /// The record of a flow that starts with `packet`.
    pub(crate) fn new(packet: &KeyedPacket, now: Timestamp, rules: &Rules) -> Self {
        let mut state = State {
            reversed: packet.reversed,
            first: Tally::of(packet),
            other: None,
            since: now,
            first_reversed: packet.reversed,
            syn_reversed: None,
            fin: [false; 2],
            closed: None,
            tunnel: packet.tunnel.clone(),
        };
        state.flags(packet, rules);
        Self(Mutex::new(state))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds another packet of the flow. If the active timeout is over before, the record so far goes to `split`,
    /// and another one starts with this packet.
    pub(crate) fn add(
        &self,
        key: &FlowKey,
        packet: &KeyedPacket,
        now: Timestamp,
        rules: &Rules,
        split: impl FnOnce(FlowRecord),
    ) -> Happened {
        let mut state = self.lock();
        if state.closed.is_some() && packet.tcp_flags & (SYN | ACK) == SYN {
            return Happened::Reopened;
        }
        if rules.active.is_some_and(|active| now.saturating_since(state.since) >= active) {
            let record = state.record(key, End::ActiveTimeout);
            state.reversed = packet.reversed;
            state.first = Tally::of(packet);
            state.other = None;
            state.since = now;
            split(record);
        } else {
            state.tally(packet);
        }
        let was_open = state.closed.is_none();
        state.flags(packet, rules);
        if was_open && state.closed.is_some() { Happened::Closed } else { Happened::Nothing }
    }

    /// Returns `true` if the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// The record so far of the flow with this key, which ended for `end`, or before because its connection did.
    pub(crate) fn record(&self, key: &FlowKey, end: End) -> FlowRecord {
        let state = self.lock();
        state.record(key, state.closed.unwrap_or(end))
    }
}

impl State {
    fn tally(&mut self, packet: &KeyedPacket) {
        if packet.reversed == self.reversed {
            self.first.add(packet);
        } else if let Some(other) = &mut self.other {
            other.add(packet);
        } else {
            self.other = Some(Box::new(Tally::of(packet)));
        }
    }

    fn flags(&mut self, packet: &KeyedPacket, rules: &Rules) {
        let flags = packet.tcp_flags;
        if flags & (SYN | FIN | RST) == 0 {
            return;
        }
        if flags & SYN != 0 && self.syn_reversed.is_none() {
            // Who answers with SYN/ACK did not start.
            self.syn_reversed = Some(packet.reversed == (flags & ACK == 0));
        }
        self.fin[usize::from(packet.reversed)] |= flags & FIN != 0;
        if rules.tcp_end && self.closed.is_none() {
            let fins = self.fin.iter().filter(|fin| **fin).count();
            if flags & RST != 0 {
                self.closed = Some(End::TcpRst);
            } else if fins == if rules.both { 2 } else { 1 } {
                self.closed = Some(End::TcpFin);
            }
        }
    }

    fn record(&self, key: &FlowKey, end: End) -> FlowRecord {
        let other = self.other.as_deref().copied().unwrap_or_default();
        let directions = if self.reversed { [other, self.first] } else { [self.first, other] };
        FlowRecord {
            key: *key,
            tally: self.first.with(&other),
            directions,
            first_reversed: self.first_reversed,
            syn_reversed: self.syn_reversed,
            tunnel: self.tunnel.clone(),
            end,
        }
    }
}
