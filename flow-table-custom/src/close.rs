//! The end of the table, which its handles may outlive.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use crate::core::Core;
use crate::entry::HELD;

impl<K, V> Core<K, V> {
    /// Lets every flow go, and leaves the core to the entries that handles keep. No burst is open, and no operation of the
    /// table runs or will. If values panic as they are dropped, the first of these panics goes on at the end.
    pub(crate) fn close(this: &Arc<Self>) {
        let mut panics = Panics(None);
        for shard in 0..this.shards.len() {
            for pair in [false, true] {
                let pages: Vec<u32> = this.lock(shard).slab(pair).pages().collect();
                for page in pages {
                    this.close_page(shard, page, pair, &mut panics);
                }
            }
        }
        let orphans = std::mem::take(&mut *this.orphans.lock());
        orphans.into_iter().for_each(|orphan| panics.catch(|| drop(orphan)));
        while this.limbo.len() != 0 {
            panics.catch(|| drop(this.collect()));
        }
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
        let mut flows = Vec::new();
        self.collect_page(shard, page, pair, &mut flows);
        for flow in flows {
            let entry = flow.entry();
            entry.state().detach();
            let held = entry.options().clear_own(HELD);
            debug_assert!(held, "nobody else lets flows go now");
            self.capacity.give_back(1);
            // The table's reference; the handle at hand is another one.
            let last = entry.refs().release();
            debug_assert!(!last, "released with a handle at hand");
            panics.catch(|| drop(flow));
        }
    }
}

/// The first of several panics.
struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    fn catch(&mut self, action: impl FnOnce()) {
        // What a panic may leave behind is the value's own; ours is kept by guards.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(action)) {
            self.0.get_or_insert(panic);
        }
    }

    fn resume(self) {
        if let Some(panic) = self.0
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}
