//! Moves flows out of pages that are nearly empty (contract C3a), so that memory follows the flows that are left,
//! whatever pattern they have in it.
//!
//! # Ground rules
//!
//! * P15. A flow is moved when nobody uses it, nobody can begin to, and nobody can tell. First it is *marked*, in
//!   its state word, under the lock of its shard. Whoever wants to use it without that lock first takes a
//!   reference, or announces a burst, and then takes the mark off. So nobody uses a flow that is still marked if
//!   no burst is open that was open when it was marked and may have looked at it before, and *then* the table's
//!   reference is its only one. (The order matters: handles are made of what bursts have borrowed.) At last one
//!   compare-and-swap of the marked word decides: it is moved, or it is used and stays.
//! * Under the locks of the shards of its keys, the flow is copied to its new entry, is live there, and gets its
//!   slots there and its place in the timer queue. So operations with these locks never meet a flow that is being
//!   moved. Look-ups do. They read nothing of it but the state, and wait for one of these locks.
//! * The old entry is freed as that of any flow that has ended, when no reference and no burst can see it any
//!   more. It is not dropped. The new one has the same birth. So a burst that began to compare the keys before the
//!   mark keeps them, too.
//! * Weak handles know an entry. A flow that has ever had one stays (`RefWord::keep_entry`).
//! * No flow is moved while an iteration runs (`Iteration`).
//!
//! Candidates that look-ups take back are like the marks of a *clock* (second chance), the page replacement of
//! Corbató (1968). The rest is ours.

use crate::core::Core;
use crate::flows::{FlowAt, Moved};
use crate::handle::StrongRef;
use crate::hash::KeyHashes;
use crate::index::Slot;
use crate::shard::{Emptied, Locks, Stage};
use crate::sync::Ordering;

impl<K, V> Core<K, V> {
    /// Empties pages of shards whose flows lie far apart. Each flow that is looked at uses one of the budget.
    #[inline]
    pub(crate) fn compact(&self, budget: &mut usize) {
        let sparse = self.shards.sparse();
        if sparse != 0 {
            self.compact_shards(sparse, budget);
        }
    }

    /// As a reap does, this starts with another shard if the last one used the budget up.
    #[cold]
    #[inline(never)]
    fn compact_shards(&self, shards: u64, budget: &mut usize) {
        // Relaxed: as in `reap_shards`.
        let ahead = u64::MAX << self.reap_from.load(Ordering::Relaxed);
        for mut shards in [shards & ahead, shards & !ahead] {
            while shards != 0 && *budget > 0 && !self.is_iterating() {
                let shard = shards.trailing_zeros() as usize;
                self.compact_shard(shard, budget);
                shards &= shards - 1;
                if *budget == 0 {
                    self.reap_from.store((shard + 1) & (self.shards.len() - 1), Ordering::Relaxed);
                }
            }
        }
    }

    /// Shards that are locked are left to the next reap.
    fn compact_shard(&self, shard: usize, budget: &mut usize) {
        while *budget > 0
            && let Some(mut guard) = self.shards.enter(shard, false)
            && let Some((page, stage)) = guard.emptied()
        {
            match stage {
                Stage::Mark { next } => guard.mark(page, next, budget, || self.limbo.stamp(&self.bursts)),
                Stage::Move { next, epoch } => match guard.next_marked(page, (next, epoch), budget) {
                    Some((flow, hashes)) => {
                        drop(guard);
                        self.move_flow(shard, flow, hashes, (page, epoch));
                    }
                    None if guard.is_emptying() => return,
                    None => {}
                },
            }
        }
    }

    fn move_flow(&self, shard: usize, flow: FlowAt<K, V>, hashes: KeyHashes, (page, epoch): (Emptied, u64)) {
        let mut locks = Locks::take(&self.shards, self.shards.set_of(hashes));
        let guard = locks.shard(shard);
        if !guard.may_still_move(flow, hashes, page, epoch) {
            return;
        }
        if self.is_iterating() || self.bursts.may_have_seen(flow.birth(), epoch) {
            return guard.wait_for_burst();
        }
        // Handles may have been made of what a burst had borrowed. The burst is closed, so they are counted by
        // now.
        if !flow.entry().refs().is_only_reference() {
            return;
        }
        let Some(Moved { new, old }) = guard.relocate(flow, self.address()) else { return };
        for (hash, direction) in hashes.iter() {
            let [old, new] = [flow, new].map(|at| Slot::new(at.index(), direction));
            locks.of(hash).replace_slot(hash, old, new);
        }
        locks.shard(shard).note_unlinked(flow);
        drop(locks);
        // Look-ups may have references to it for a moment.
        drop(StrongRef::from_table(old));
    }

    fn is_iterating(&self) -> bool {
        // SeqCst: pairs with `Iteration`.
        self.iterations.load(Ordering::SeqCst) != 0
    }
}
