use std::time::Duration;

use anyhow::{Result, anyhow};
use flow_table::{Admission, Budget, Ended, Flow, FlowKey, FlowSpec, InsertError, OnExpiry, Table, Timestamp};

use super::change::{Change, Stamp};
use super::ends::{Ends, Totals};
use super::sink::Sink;
use crate::keyed::KeyedPacket;
use crate::record::{self, End, FlowRecord, Happened, Record};

/// The results of the table.
pub(super) struct Ledger<T: Table<FlowKey, Record>> {
    ends: Ends,
    rules: record::Rules,
    ended: Vec<Ended<T::Ref>>,
    /// Records of flows that go on, or that ended without the table's doing.
    cut: Vec<FlowRecord>,
    pub(super) totals: Totals,
    /// When flows began and ended, if somebody wants to know.
    pub(super) changes: Option<Vec<Change>>,
}

impl<T: Table<FlowKey, Record>> Ledger<T> {
    pub(super) fn new(ends: Ends) -> Self {
        let rules = record::Rules { active: ends.active, tcp_end: ends.tcp_linger.is_some(), both: ends.both };
        Self { ends, rules, ended: Vec::new(), cut: Vec::new(), totals: Totals::default(), changes: None }
    }

    pub(super) fn reap(&mut self, table: &T, now: Timestamp) {
        table.reap_with(now, Budget::UNLIMITED, |ended| {
            if let Some(changes) = &mut self.changes {
                changes.push(Change::expired(ended.flow.deadline()));
            }
            self.ended.push(ended);
        });
    }

    /// Adds a packet to a flow that is live. Returns `false` if the flow ends before the packet instead.
    pub(super) fn hit(
        &mut self,
        table: &T,
        flow: &impl Flow<FlowKey, Record>,
        handle: impl FnOnce() -> Option<T::Ref>,
        stamp: Stamp,
        packet: &KeyedPacket,
    ) -> bool {
        let happened =
            flow.value().add(flow.key(), packet, stamp.now, &self.rules, |record| self.cut.push(record));
        match happened {
            Happened::Nothing => true,
            Happened::Closed => {
                self.close(table, handle(), stamp);
                true
            }
            Happened::Reopened => {
                self.remove(table, handle(), Change::replaced(stamp));
                false
            }
        }
    }

    /// Lets a flow whose connection has ended linger.
    fn close(&mut self, table: &T, handle: Option<T::Ref>, stamp: Stamp) {
        match self.ends.tcp_linger {
            Some(Duration::ZERO) => self.remove(table, handle, Change::closed(stamp)),
            Some(linger) => {
                if let Some(flow) = handle {
                    flow.set_timeout(linger, stamp.now).expect("it is live");
                }
            }
            None => {}
        }
    }

    fn remove(&mut self, table: &T, handle: Option<T::Ref>, change: Change) {
        let Some(flow) = handle else { return };
        if table.remove_flow(&flow).expect("it is of this table") {
            self.cut.push(record(&*flow, End::IdleTimeout));
            self.change(change);
        }
    }

    fn change(&mut self, change: Change) {
        if let Some(changes) = &mut self.changes {
            changes.push(change);
        }
    }

    pub(super) fn miss(&mut self, table: &T, stamp: Stamp, packet: &KeyedPacket) -> Result<()> {
        let now = stamp.now;
        self.reap(table, now);
        let spec = FlowSpec::new(packet.key).timeout(self.ends.idle).on_expiry(OnExpiry::Remove);
        match table.get_or_insert_with(spec, now, || Record::new(packet, now, &self.rules)) {
            Ok(Admission::Inserted(flow)) => {
                self.totals.flows += 1;
                self.change(Change::began(stamp));
                self.totals.peak_live = self.totals.peak_live.max(table.len());
                if self.rules.tcp_end && flow.value().is_closed() {
                    self.close(table, Some(flow), stamp);
                }
            }
            // An earlier packet of the burst began it. It is live at `now`, so the refresh is granted.
            Ok(Admission::Existing { holder, .. }) => {
                holder.refresh(now);
                if !self.hit(table, &*holder, || Some(holder.clone()), stamp, packet) {
                    return self.miss(table, stamp, packet);
                }
            }
            Err(InsertError::Full { .. }) => self.totals.refused += 1,
            Err(error) => return Err(anyhow!("{error}").context("cannot insert a flow")),
        }
        Ok(())
    }

    pub(super) fn export(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.cut.drain(..).try_for_each(&mut *sink)?;
        self.ended.drain(..).try_for_each(|ended| sink(record(&*ended.flow, End::IdleTimeout)))
    }
}

pub(super) fn record(flow: &impl Flow<FlowKey, Record>, end: End) -> FlowRecord {
    flow.value().record(flow.key(), end)
}
