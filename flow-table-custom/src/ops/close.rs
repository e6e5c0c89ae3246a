//! The end of the table, which its handles may outlive.

use crate::core::Core;
use crate::panics::Panics;
use crate::sync::Arc;

impl<K, V> Core<K, V> {
    /// Lets every flow go, and leaves the core to the entries that handles keep (P10). No burst can be used any
    /// more, though some may have been leaked, and no operation of the table runs now or later. If drops of
    /// values panic, the first of these panics continues at the end.
    pub(crate) fn close(this: &Arc<Self>) {
        this.bursts.forget();
        let mut panics = Panics::none();
        this.for_each_held(|flow| {
            let at = flow.at();
            flow.entry().state().detach();
            let own = this.shards.lock(at.shard()).claim(at).expect("nobody else lets flows go now");
            let dead = own.release();
            debug_assert!(dead.is_none(), "released with a handle at hand");
            panics.catch(|| drop(flow));
        });
        (0..this.limbo.lists()).for_each(|slot| this.review(slot, &mut panics));
        this.keeper.leave(Arc::clone(this));
        for shard in 0..this.shards.len() {
            let mut guard = this.shards.lock(shard);
            this.keeper.count_in(guard.close());
        }
        drop(this.keeper.count_out());
        panics.resume();
    }
}
