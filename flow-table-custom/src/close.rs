//! The end of the table, which its handles may outlive.

use std::sync::Arc;

use flow_table_api::Direction;

use crate::core::Core;
use crate::entry::HELD;
use crate::panics::Panics;

impl<K, V> Core<K, V> {
    /// Lets every flow go, and leaves the core to the entries that handles keep. No burst can be used any more (some may have been
    /// leaked), and no operation of the table runs or will. If values panic as they are dropped, the first of these panics goes on
    /// at the end.
    pub(crate) fn close(this: &Arc<Self>) {
        this.bursts.forget();
        let mut panics = Panics::none();
        for shard in 0..this.shards.len() {
            for pair in [false, true] {
                let pages: Vec<u32> = this.lock(shard).slab(pair).pages().collect();
                for page in pages {
                    this.close_page(shard, page, pair, &mut panics);
                }
            }
        }
        drop(this.collect(&mut panics));
        this.keeper.leave(Arc::clone(this));
        for shard in &this.shards {
            let mut inner = shard.lock();
            inner.closed = true;
            this.keeper.count_in(inner.entries);
        }
        drop(this.keeper.count_out());
        panics.resume();
    }

    fn close_page(&self, shard: usize, page: u32, pair: bool, panics: &mut Panics) {
        let mut noted = Vec::new();
        self.note_page(shard, page, pair, &mut noted);
        for flow in
            noted.into_iter().filter_map(|(index, generation)| self.upgrade(index, generation, Direction::Forward))
        {
            let entry = flow.entry();
            entry.state().detach();
            let held = entry.options().clear_own(HELD);
            debug_assert!(held, "nobody else lets flows go now");
            // The table's reference; the handle at hand is another one.
            let last = entry.refs().release();
            debug_assert!(!last, "released with a handle at hand");
            panics.catch(|| drop(flow));
        }
    }
}
