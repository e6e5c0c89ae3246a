//! Visiting every flow: page by page, since entries never move.

use flow_table_api::{Direction, Flow, Status};

use crate::core::Core;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::index::EntryIndex;

impl<K, V> Core<K, V> {
    /// Visits the active flows, with no lock held. A page's flows are collected under its shard's lock; a page that changes its
    /// owner meanwhile is visited for its first owner only.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&StrongRef<K, V>)) {
        let mut flows = Vec::new();
        for shard in 0..self.shards.len() {
            for pair in [false, true] {
                let pages: Vec<u32> = self.lock(shard).slab(pair).pages().collect();
                for page in pages {
                    self.collect_page(shard, page, pair, &mut flows);
                    flows.drain(..).filter(|flow| flow.status() == Status::Active).for_each(|flow| visit(&flow));
                }
            }
        }
    }

    /// Adds handles to the flows of a page that the table holds.
    pub(crate) fn collect_page(&self, shard: usize, page: u32, pair: bool, flows: &mut Vec<StrongRef<K, V>>) {
        let mut inner = self.lock(shard);
        if !inner.slab(pair).owns(page) {
            return;
        }
        for place in 0..self.page(page, pair).used_places() {
            let entry = self.entry(EntryIndex::new(page, place, pair));
            // A free entry keeps its last options, but nobody references it.
            if entry.options().own(HELD) && entry.refs().try_acquire().is_some() {
                // SAFETY: the reference was counted just now.
                flows.push(unsafe { StrongRef::from_counted(entry, Direction::Forward) });
            }
        }
    }
}
