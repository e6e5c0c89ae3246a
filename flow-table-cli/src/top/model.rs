use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use flow_table::FlowKey;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::snapshot::{Latest, Snapshot};
use crate::filter::{Filter, Subject};
use crate::names::protocol_name;
use crate::record::{FlowRecord, Orientation};

/// Samples of the sparkline.
const SAMPLES: usize = 240;

/// What happens after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Continue,
    Quit,
}

/// What flows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    ByteRate,
    PacketRate,
    Bytes,
    Packets,
    Age,
}

impl Sort {
    pub(super) const ALL: [(char, Self, &'static str); 5] = [
        ('r', Self::ByteRate, "bytes/s"),
        ('e', Self::PacketRate, "packets/s"),
        ('b', Self::Bytes, "bytes"),
        ('p', Self::Packets, "packets"),
        ('a', Self::Age, "seconds"),
    ];
}

/// A flow with its rates.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: FlowKey,
    pub(super) protocol: String,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) packet_rate: f64,
    pub(super) byte_rate: f64,
    pub(super) seconds: f64,
    pub(super) state: String,
    flow: FlowRecord,
}

/// All that is on the screen.
#[derive(Default)]
pub(super) struct Model {
    pub(super) latest: Latest,
    /// All flows of the last snapshot.
    rows: Vec<Row>,
    /// Packets per second, one for each snapshot.
    pub(super) samples: VecDeque<u64>,
    pub(super) byte_rate: f64,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) is_typing: bool,
    pub(super) is_paused: bool,
    /// The first row shown.
    pub(super) offset: usize,
}

impl Model {
    /// Takes another snapshot.
    pub(super) fn update(&mut self, latest: Latest) {
        if self.is_paused {
            return;
        }
        let before = self.latest.snapshot.take();
        if let Some(now) = &latest.snapshot
            && before.as_ref().is_none_or(|before| !Arc::ptr_eq(before, now))
        {
            self.advance(before.as_deref(), now);
        }
        self.latest = latest;
    }

    fn advance(&mut self, before: Option<&Snapshot>, now: &Snapshot) {
        let rate = |before: u64, now_count: u64, span: f64| now_count.saturating_sub(before) as f64 / span;
        let span = before.map_or(0.0, |before| now.taken.duration_since(before.taken).as_secs_f64()).max(1e-3);
        if let Some(before) = before {
            if self.samples.len() == SAMPLES {
                self.samples.pop_front();
            }
            self.samples.push_back(rate(before.packets, now.packets, span) as u64);
            self.byte_rate = rate(before.bytes, now.bytes, span);
        }
        let earlier: HashMap<_, _> = self.rows.iter().map(|row| (row.key, (row.packets, row.bytes))).collect();
        let row = |flow: &FlowRecord| {
            let key = flow.oriented(Orientation::Syn).key;
            // A flow that was not there has sent everything since, if there was a snapshot at all.
            let (packets, bytes) = earlier.get(&key).copied().unwrap_or_default();
            let since = |before: u64, count: u64| if before > count { count } else { count - before };
            let rates = if earlier.is_empty() { 0.0 } else { 1.0 / span };
            Row {
                key,
                protocol: protocol_name(key.protocol()),
                source: end(&key),
                destination: end(&key.reversed()),
                packets: flow.tally.packets,
                bytes: flow.tally.ip_bytes,
                packet_rate: since(packets, flow.tally.packets) as f64 * rates,
                byte_rate: since(bytes, flow.tally.ip_bytes) as f64 * rates,
                seconds: flow.tally.last_ns.saturating_sub(flow.tally.first_ns) as f64 / 1e9,
                state: flow.state().to_string(),
                flow: flow.clone(),
            }
        };
        self.rows = now.flows.iter().map(row).collect();
    }

    /// The flows that match the filter, in order.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let filter = self.filter.parse::<Filter>().ok();
        let words: Vec<_> = self.filter.split_whitespace().collect();
        let matches = |row: &&Row| match &filter {
            Some(filter) => filter.matches(&Subject { key: &row.key, tally: Some(&row.flow.tally) }),
            // Not an expression yet, so its words are searched for.
            None => words.iter().all(|word| {
                [&row.protocol, &row.source, &row.destination, &row.state].iter().any(|text| text.contains(word))
            }),
        };
        let mut rows: Vec<_> = self.rows.iter().filter(matches).collect();
        rows.sort_by(|a, b| self.order(a, b).reverse().then_with(|| a.key.cmp(&b.key)));
        rows
    }

    fn order(&self, a: &Row, b: &Row) -> Ordering {
        match self.sort {
            Sort::ByteRate => a.byte_rate.total_cmp(&b.byte_rate).then(a.bytes.cmp(&b.bytes)),
            Sort::PacketRate => a.packet_rate.total_cmp(&b.packet_rate).then(a.packets.cmp(&b.packets)),
            Sort::Bytes => a.bytes.cmp(&b.bytes),
            Sort::Packets => a.packets.cmp(&b.packets),
            Sort::Age => a.seconds.total_cmp(&b.seconds),
        }
    }

    /// Handles a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> After {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return After::Quit;
        }
        if self.is_typing {
            match key.code {
                KeyCode::Enter => self.is_typing = false,
                KeyCode::Esc => {
                    self.is_typing = false;
                    self.filter.clear();
                }
                KeyCode::Backspace => drop(self.filter.pop()),
                KeyCode::Char(character) => self.filter.push(character),
                _ => {}
            }
            self.offset = 0;
            return After::Continue;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return After::Quit,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Up => self.offset = self.offset.saturating_sub(1),
            KeyCode::Down => self.offset += 1,
            KeyCode::PageUp => self.offset = self.offset.saturating_sub(20),
            KeyCode::PageDown => self.offset += 20,
            KeyCode::Home => self.offset = 0,
            KeyCode::Char(character) => {
                if let Some((_, sort, _)) = Sort::ALL.iter().find(|(key, ..)| *key == character) {
                    self.sort = *sort;
                }
            }
            _ => {}
        }
        After::Continue
    }
}

/// The source of a key, without a port if there is none.
fn end(key: &FlowKey) -> String {
    let source = key.source();
    if source.port() == 0 { source.ip().to_string() } else { source.to_string() }
}
