//! A check of what the table's parts say of each other, for tests: the invariants that look-ups rely on.

use flow_table_api::{Direction, Status};

use crate::core::Core;
use crate::entry::HELD;
use crate::index::EntryIndex;
use crate::slot::Slot;
use crate::timer::{Entries as _, Position};

impl<K, V> Core<K, V> {
    /// Whether each segment's slots can be found and are counted right, and no active flow is without its slots; if not, what is wrong.
    /// Takes one shard's lock after the other, so other threads may go on.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let per_shard = self.segments.len() / self.shards.len();
        for (shard, segments) in self.segments.chunks(per_shard).enumerate() {
            let mut inner = self.lock(shard);
            for (local, segment) in segments.iter().enumerate() {
                let wrong = |wrong| format!("segment {local} of shard {shard}: {wrong}");
                segment.verify(&mut inner.segments[local], self).map_err(wrong)?;
            }
            for (at, index) in inner.dying.iter().enumerate() {
                let entry = self.entry(index);
                let is_ended = entry.options().own(HELD) && entry.state().load().status != Status::Active;
                if !is_ended || self.filed().position(index) != Position::dying(at) {
                    return Err(format!("{index:?} is not dying, and is number {at} of those"));
                }
            }
            for pair in [false, true] {
                let pages: Vec<u32> = inner.slab(pair).pages().collect();
                for page in pages {
                    for place in 0..self.page(page, pair).used_places() {
                        self.verify_entry(EntryIndex::new(page, place, pair))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Of a flow of a shard that is locked, by its forward key: the other one's shard may not be.
    fn verify_entry(&self, index: EntryIndex) -> Result<(), String> {
        let entry = self.entry(index);
        let active = entry.options().own(HELD) && entry.state().load().status == Status::Active;
        let hash = self.hash_in(index, Direction::Forward);
        let is_slot = |slot: Slot| (slot.entry() == index).then_some(());
        if active && self.segment(hash).find(hash, is_slot).is_none() {
            return Err(format!("{index:?} is active and cannot be found"));
        }
        Ok(())
    }
}
