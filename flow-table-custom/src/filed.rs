use flow_table_api::{Direction, Status, Timestamp};

use crate::core::Core;
use crate::index::EntryIndex;
use crate::timer::{Due, Entries, Position};

/// The entries of a shard, as its timer queue sees them. Used under the shard's lock.
pub(crate) struct Filed<'c, K, V>(&'c Core<K, V>);

impl<K, V> Core<K, V> {
    #[inline]
    pub(crate) fn filed(&self) -> Filed<'_, K, V> {
        Filed(self)
    }
}

impl<K, V> Entries for Filed<'_, K, V> {
    #[inline]
    fn position(&self, entry: EntryIndex) -> Position {
        Position::from_bits(self.0.page_of(entry).timer(entry.place()))
    }

    #[inline]
    fn set_position(&mut self, entry: EntryIndex, position: Position) {
        self.0.page_of(entry).set_timer(entry.place(), position.to_bits());
    }

    #[inline]
    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due {
        let word = self.0.entry(entry).state().load();
        if word.status == Status::Active && now < word.deadline { Due::At(word.deadline) } else { Due::Now }
    }

    #[inline]
    fn prefetch(&self, entry: EntryIndex) {
        crate::prefetch::read(self.0.entry(entry).as_ptr().as_ptr());
        self.0.page_of(entry).prefetch_record(entry.place());
    }

    #[inline]
    fn comes_up(&self, entry: EntryIndex) {
        let hash = self.0.hash_in(entry, Direction::Forward);
        self.0.segment(hash).prefetch(hash);
    }
}
