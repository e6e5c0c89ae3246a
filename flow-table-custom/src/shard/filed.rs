//! The view that the timer queue has of the entries of its shard. The queue knows entry indices only; this
//! finds their records and flows.

use flow_table_api::{Direction, Timestamp};

use super::shards::Shards;
use crate::flows::{FlowAt, Locked};
use crate::ids::EntryIndex;
use crate::timer::{Due, Entries, Position};

/// The entries of a shard, as its timer queue sees them.
pub(super) struct Filed<'g, K, V> {
    shards: &'g Shards<K, V>,
    locked: &'g mut Locked,
}

impl<'g, K, V> Filed<'g, K, V> {
    #[inline]
    pub(super) const fn new(shards: &'g Shards<K, V>, locked: &'g mut Locked) -> Self {
        Self { shards, locked }
    }
}

impl<K, V> Entries for Filed<'_, K, V> {
    type Found = FlowAt<K, V>;

    #[inline]
    fn find(&self, entry: EntryIndex) -> FlowAt<K, V> {
        self.shards.arena.at(entry)
    }

    #[inline]
    fn index(flow: FlowAt<K, V>) -> EntryIndex {
        flow.index()
    }

    #[inline]
    fn position(&self, flow: FlowAt<K, V>) -> Position {
        Position::from_bits(flow.page().timer(self.locked, flow.index().place()))
    }

    #[inline]
    fn set_position(&mut self, flow: FlowAt<K, V>, position: Position) {
        flow.page().set_timer(self.locked, flow.index().place(), position.to_bits());
    }

    #[inline]
    fn due(&self, flow: FlowAt<K, V>, now: Timestamp) -> Due {
        match flow.entry().state().live_until(now) {
            Some(deadline) => Due::At(self.shards.filing(deadline, now)),
            None => Due::Now,
        }
    }

    #[inline]
    fn prefetch(&self, entry: EntryIndex) {
        let flow = self.find(entry);
        crate::prefetch::read(flow.entry().as_ptr().as_ptr());
        flow.page().prefetch_record(entry.place());
    }

    #[inline]
    fn comes_up(&self, entry: EntryIndex) {
        let hash = self.find(entry).hash(Direction::Forward);
        self.shards.index.segment(hash).prefetch(hash);
    }
}
