//! Iteration: visits every flow, page by page, because entries never move.

use flow_table_api::{Direction, Flow, Status};

use crate::core::Core;
use crate::handle::StrongRef;
use crate::ids::EntryIndex;

impl<K, V> Core<K, V> {
    /// Visits the active flows. While `visit` runs, no lock is held, and the only reference held is to the flow
    /// that is visited. The flows of a page are noted under its shard's lock. If a page moves to another shard
    /// during the call, it is visited for its first owner only.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&StrongRef<K, V>)) {
        self.for_each_held(|flow| {
            if flow.status() == Status::Active {
                visit(&flow);
            }
        });
    }

    /// Visits the flows that the table holds, active or not.
    pub(super) fn for_each_held(&self, mut visit: impl FnMut(StrongRef<K, V>)) {
        let mut noted = Vec::new();
        for shard in 0..self.shards.len() {
            for pair in [false, true] {
                let pages = self.shards.lock(shard).pages(pair);
                for page in pages {
                    self.note_page(shard, page, pair, &mut noted);
                    for (index, generation) in noted.drain(..) {
                        let entry = self.shards.arena.entry(index);
                        StrongRef::acquire_generation(entry, generation, Direction::Forward)
                            .into_iter()
                            .for_each(&mut visit);
                    }
                }
            }
        }
    }

    /// Notes the flows of a page that the table holds, with their generations.
    fn note_page(&self, shard: usize, page: u32, pair: bool, noted: &mut Vec<(EntryIndex, u32)>) {
        let mut guard = self.shards.lock(shard);
        for flow in guard.entries_of(page, pair) {
            let entry = flow.entry();
            // A free entry keeps its last options, but nobody references it.
            if entry.is_held() && entry.refs().is_referenced() {
                noted.push((flow.index(), entry.refs().generation()));
            }
        }
    }
}
