//! Memory that is made ready when the table is made, and kept (`TableConfig::prefault`).

use super::shards::Shards;
use crate::flows::entries_in_page;
use crate::hash::share;
use crate::ids::EntryIndex;
use crate::index::SEGMENTS;
use crate::memory::AllocError;

impl<K, V> Shards<K, V> {
    /// Makes memory ready for so many flows with one key and with two, and keeps it. The shards are new.
    ///
    /// # Errors
    ///
    /// The system has no memory. What it has given is kept.
    pub(crate) fn keep(&self, flows: [usize; 2]) -> Result<(), AllocError> {
        if flows == [0; 2] {
            return Ok(());
        }
        self.index.arrays.keep(SEGMENTS)?;
        // No more than have indices.
        let most = |pair| EntryIndex::PAGES as usize * entries_in_page::<K, V>(pair);
        let flows = [false, true].map(|pair| flows[usize::from(pair)].min(most(pair)));
        let pages = [false, true].map(|pair| self.pages_for(flows[usize::from(pair)], pair));
        for pair in [false, true] {
            self.arena.keep(pages[usize::from(pair)], pair)?;
        }
        for (number, shard) in self.iter().enumerate() {
            let state = &mut *shard.state.lock();
            for (segment, half) in self.index.of_shard(number).iter().zip(&mut state.segments) {
                segment.reserve(half, 1, &self.index.arrays, &self.arena)?;
            }
            for (slab, pages) in state.slabs.iter_mut().zip(pages) {
                slab.keep(pages)?;
            }
            state.timers.keep(share(flows[0] + flows[1], self.len()))?;
        }
        Ok(())
    }

    /// The pages of one kind that all shards together need. Each may have one that is not full, and one that is
    /// empty.
    fn pages_for(&self, flows: usize, pair: bool) -> usize {
        match flows {
            0 => 0,
            _ => self.len() * (share(flows, self.len()).div_ceil(entries_in_page::<K, V>(pair)) + 1),
        }
    }
}
