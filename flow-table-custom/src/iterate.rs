//! Visiting every flow: page by page, since entries never move.

use flow_table_api::{Direction, Flow, Status};

use crate::core::Core;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::index::EntryIndex;

impl<K, V> Core<K, V> {
    /// Visits the active flows, with no lock held and no reference but to the one that is visited. What a page holds is noted under its
    /// shard's lock; a page that changes its owner meanwhile is visited for its first owner only.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&StrongRef<K, V>)) {
        let mut noted = Vec::new();
        for shard in 0..self.shards.len() {
            for pair in [false, true] {
                let pages: Vec<u32> = self.lock(shard).slab(pair).pages().collect();
                for page in pages {
                    self.note_page(shard, page, pair, &mut noted);
                    let flows = noted
                        .drain(..)
                        .filter_map(|(index, generation)| self.upgrade(index, generation, Direction::Forward));
                    flows.filter(|flow| flow.status() == Status::Active).for_each(|flow| visit(&flow));
                }
            }
        }
    }

    /// Notes the flows of a page that the table holds, with their generations.
    pub(crate) fn note_page(&self, shard: usize, page: u32, pair: bool, noted: &mut Vec<(EntryIndex, u32)>) {
        let mut inner = self.lock(shard);
        if !inner.slab(pair).owns(page) {
            return;
        }
        for place in 0..self.page(page, pair).used_places() {
            let index = EntryIndex::new(page, place, pair);
            let entry = self.entry(index);
            // A free entry keeps its last options, but nobody references it.
            if entry.options().own(HELD) && entry.refs().is_referenced() {
                noted.push((index, entry.refs().generation()));
            }
        }
    }

    /// A handle to the flow that was in an entry in this generation, if it is still there.
    pub(crate) fn upgrade(
        &self,
        index: EntryIndex,
        generation: u32,
        direction: Direction,
    ) -> Option<StrongRef<K, V>> {
        let entry = self.entry(index);
        // SAFETY: the reference has just been counted, in the generation of the flow that was noted.
        entry
            .refs()
            .try_acquire_generation(generation)
            .then(|| unsafe { StrongRef::from_counted(entry, direction) })
    }
}
