//! The view that the timer queue has of the entries of its shard. The queue knows entry indices only; this
//! finds their records and flows.

use flow_table_api::{Status, Timestamp};

use super::shards::Shards;
use crate::flows::Locked;
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
    #[inline]
    fn position(&self, entry: EntryIndex) -> Position {
        Position::from_bits(self.shards.arena.page_of(entry).timer(self.locked, entry.place()))
    }

    #[inline]
    fn set_position(&mut self, entry: EntryIndex, position: Position) {
        self.shards.arena.page_of(entry).set_timer(self.locked, entry.place(), position.to_bits());
    }

    #[inline]
    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due {
        let word = self.shards.arena.entry(entry).state().load();
        if word.status == Status::Active && now < word.deadline {
            Due::At(self.shards.filing(word.deadline, now))
        } else {
            Due::Now
        }
    }

    #[inline]
    fn prefetch(&self, entry: EntryIndex) {
        crate::prefetch::read(self.shards.arena.entry(entry).as_ptr().as_ptr());
        self.shards.arena.page_of(entry).prefetch_record(entry.place());
    }

    #[inline]
    fn comes_up(&self, entry: EntryIndex) {
        let hash = self.shards.arena.page_of(entry).hash(entry.place());
        self.shards.index.segment(hash).prefetch(hash);
    }
}
