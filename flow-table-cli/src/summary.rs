//! The summary of the replay of one capture.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::filter::{Filter, Subject};
use crate::keyed::KeyedPacket;
use crate::log::Level;
use crate::packet::Skip;
use crate::read::{Packet, ReadError};
use crate::record::{End, FlowRecord, Orientation};
use crate::replay::Totals;
use crate::stats::{Aggregate, Field, Histogram, Rank, Series, Top};

/// The results of the replay of one capture.
#[derive(Debug, Default)]
pub struct Summary {
    /// The capture's format in words, if the file is a capture.
    pub format: Option<String>,
    /// All frames.
    pub frames: Frames,
    /// Frames that are not IP packets, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// IP packets of protocols that were not selected, or that the filter left out.
    pub unselected: u64,
    /// The packets given to the table.
    pub selected: Selected,
    /// The flows.
    pub flows: Flows,
    /// What happened when.
    pub series: Series,
    /// Later fragments whose first one had not been seen, if fragments are followed.
    pub unfollowed: u64,
    /// What the replay counted.
    pub totals: Totals,
    /// Why captures were not read to their ends.
    pub errors: Vec<FileError>,
    /// How long the replay took.
    pub elapsed: Duration,
    /// Whether the replay was ended before the capture.
    pub interrupted: bool,
}

/// Why a file could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened.
    #[error("cannot open: {0}")]
    Open(#[source] io::Error),
    /// One of several captures has this problem.
    #[error("{file}: {error}")]
    In {
        /// The name of the capture.
        file: String,
        /// The problem.
        #[source]
        error: Box<Self>,
    },
    /// The capture cannot be read any further.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl FileError {
    /// Returns `true` if the only problem is that the capture ends within its last packet.
    pub fn is_cut_off(&self) -> bool {
        match self {
            Self::Open(_) => false,
            Self::In { error, .. } => error.is_cut_off(),
            Self::Read(error) => error.is_cut_off(),
        }
    }

    /// How bad it is.
    pub(crate) fn level(&self) -> Level {
        if self.is_cut_off() { Level::Warning } else { Level::Error }
    }

    /// The same error, of the capture with this name.
    pub(crate) fn of(self, file: &str) -> Self {
        Self::In { file: file.to_owned(), error: Box::new(self) }
    }
}

/// Sums over all frames of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Frames.
    pub packets: u64,
    /// The sum of their lengths on the wire.
    pub bytes: u64,
    /// The smallest and the largest of their times, in nanoseconds.
    pub span: Option<(i128, i128)>,
    /// Packets with a smaller time than one before them.
    pub out_of_order: u64,
    /// Packets that the system dropped before the program could read them.
    pub dropped: u64,
}

impl Frames {
    pub(crate) fn add(&mut self, packet: &Packet<'_>) {
        self.packets += 1;
        self.bytes = self.bytes.saturating_add(packet.wire_len.into());
        let (first, last) = self.span.unwrap_or((packet.timestamp, packet.timestamp));
        self.out_of_order += u64::from(packet.timestamp < last);
        self.span = Some((first.min(packet.timestamp), last.max(packet.timestamp)));
    }
}

/// Sums over the packets given to the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Packets.
    pub packets: u64,
    /// The sum of their lengths, from their IP headers.
    pub ip_bytes: u64,
    /// The sum of their lengths on the wire.
    pub wire_bytes: u64,
}

impl Selected {
    pub(crate) fn add(&mut self, packet: &KeyedPacket) {
        self.packets += 1;
        self.ip_bytes = self.ip_bytes.saturating_add(packet.ip_bytes);
        self.wire_bytes = self.wire_bytes.saturating_add(packet.wire_bytes);
    }
}

/// What the summary of flows shows.
#[derive(Clone, Debug)]
pub struct View {
    /// The number of largest flows to keep.
    pub top: usize,
    /// What makes a flow large.
    pub by: Rank,
    /// What groups of flows have in common.
    pub aggregate: Vec<Field>,
    /// Which end is the source.
    pub orientation: Orientation,
    /// Which records count.
    pub keep: Option<Arc<Filter>>,
}

impl Default for View {
    fn default() -> Self {
        Self { top: 5, by: Rank::Bytes, aggregate: Vec::new(), orientation: Orientation::Address, keep: None }
    }
}

/// The flows of a capture that have ended.
#[derive(Clone, Debug)]
pub struct Flows {
    /// Their records by protocol.
    pub by_protocol: BTreeMap<u8, u64>,
    /// Their records by the reason of the end, in the order of [`End::ALL`].
    pub by_end: [u64; End::ALL.len()],
    /// The largest.
    pub top: Top,
    /// Sums by what they have in common.
    pub aggregate: Aggregate,
    /// How long they lasted, in microseconds.
    pub durations: Histogram,
    /// Their bytes.
    pub sizes: Histogram,
    /// Records that were not kept.
    pub dropped: u64,
    orientation: Orientation,
    keep: Option<Arc<Filter>>,
}

impl Flows {
    /// No flows yet.
    pub fn new(view: &View) -> Self {
        Self {
            by_protocol: BTreeMap::new(),
            by_end: [0; End::ALL.len()],
            top: Top::new(view.top, view.by),
            aggregate: Aggregate::new(&view.aggregate),
            durations: Histogram::default(),
            sizes: Histogram::default(),
            dropped: 0,
            orientation: view.orientation,
            keep: view.keep.clone(),
        }
    }

    /// Adds a record. Returns `false` if it is not one of those that count.
    pub fn add(&mut self, flow: &FlowRecord) -> bool {
        let oriented = flow.oriented(self.orientation);
        let subject = Subject { key: &oriented.key, tally: Some(&flow.tally) };
        if self.keep.as_ref().is_some_and(|keep| !keep.matches(&subject)) {
            self.dropped += 1;
            return false;
        }
        *self.by_protocol.entry(flow.key.protocol()).or_default() += 1;
        self.by_end[flow.end as usize] += 1;
        let micros = flow.tally.last_ns.saturating_sub(flow.tally.first_ns) / 1_000;
        self.durations.add(u64::try_from(micros).unwrap_or(u64::MAX));
        self.sizes.add(flow.tally.ip_bytes);
        self.aggregate.add(&oriented);
        self.top.add(flow);
        true
    }

    /// The number of records.
    pub fn count(&self) -> u64 {
        self.by_end.iter().sum()
    }

    /// The number of records for each reason.
    pub fn ends(&self) -> impl Iterator<Item = (End, u64)> {
        End::ALL.into_iter().zip(self.by_end)
    }

    /// Which end of a flow is the source.
    pub const fn orientation(&self) -> Orientation {
        self.orientation
    }
}

impl Default for Flows {
    fn default() -> Self {
        Self::new(&View::default())
    }
}

impl Summary {
    /// The summary of a capture in this format, before its first packet.
    pub fn of(format: String, view: &View) -> Self {
        Self { format: Some(format), flows: Flows::new(view), ..Self::default() }
    }

    /// Usable IP packets, selected or not.
    pub const fn ip_packets(&self) -> u64 {
        self.selected.packets + self.unselected
    }

    /// Returns `true` if everything in the captures was read, except perhaps for a last packet that is cut off.
    pub fn is_complete(&self) -> bool {
        self.errors.iter().all(FileError::is_cut_off)
    }

    /// Packets per second through the table, or `None` if the time was too short to measure.
    pub fn packets_per_second(&self) -> Option<f64> {
        let seconds = self.totals.table_time.as_secs_f64();
        (seconds > 0.0 && self.selected.packets > 0).then(|| self.selected.packets as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Tally;

    #[test]
    fn the_largest_flows_are_kept_in_order_whatever_order_they_end_in() {
        let flow = |ip_bytes: u64, port: u16| {
            let tally = Tally { packets: 1, ip_bytes, ..Tally::default() };
            FlowRecord {
                key: format!("udp 10.0.0.1:{port} > 10.0.0.2:53").parse().unwrap(),
                tally,
                directions: [tally, Tally::default()],
                first_reversed: false,
                syn_reversed: None,
                tunnel: None,
                end: End::IdleTimeout,
            }
        };
        let sorted = [flow(9, 1), flow(7, 1), flow(7, 2), flow(5, 1), flow(3, 9), flow(3, 10), flow(1, 1)];
        let mut flows = Flows::default();
        for index in [3, 0, 6, 5, 2, 4, 1] {
            flows.add(&sorted[index]);
        }
        assert_eq!(flows.top.sorted(), sorted[..5].iter().collect::<Vec<_>>());
        assert_eq!((flows.count(), flows.by_protocol), (7, BTreeMap::from([(17, 7)])));
    }
}
