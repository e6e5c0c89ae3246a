//! The end of a flow's life: its last reference is gone.
//!
//! P3. The thread that brought the count to zero owns the entry ([`finish`](Core::finish)). It drops the value
//! under no lock, takes the slots that are left out of the table, and frees the entry. If a burst is open that
//! may be looking at the flow, the entry waits in limbo, without slots, until the burst closes
//! ([`review`](Core::review)).

use std::iter;

use flow_table_api::Direction;

use crate::core::Core;
use crate::flows::{Dead, Empty, FlowAt};
use crate::nesting;
use crate::panics::Panics;
use crate::sync::Arc;
use crate::threads;

/// The last owner of the core, if the core is to be dropped now. Hold no other reference to the core while
/// dropping it.
type LastOwner<K, V> = Option<Arc<Core<K, V>>>;

impl<K, V> Core<K, V> {
    /// Drops a flow that nobody references any more. It waits in limbo instead if a burst may see it, or if too
    /// many drops are nested on this thread.
    #[inline]
    pub(crate) fn finish(&self, dead: Dead<K, V>, panics: &mut Panics) -> LastOwner<K, V> {
        match self.bursts.unseen(iter::once_with(|| dead.birth())) {
            Some(unseen) if !nesting::is_deepest() => {
                self.reclaim_here(dead.drop_flow(&unseen, self.records.as_ref(), panics))
            }
            _ => self.let_wait(dead, panics),
        }
    }

    #[cold]
    #[inline(never)]
    fn let_wait(&self, dead: Dead<K, V>, panics: &mut Panics) -> LastOwner<K, V> {
        // P10: once the entry is in limbo, another thread may free it, and with it what keeps the core alive for
        // the caller.
        let core = self.share();
        self.unlink_all(dead.at());
        self.wait_for_bursts([dead], panics).or(Some(core))
    }

    /// Moves flows without slots to limbo, where they wait for the bursts that may see them. Drops those that need
    /// not wait.
    pub(crate) fn wait_for_bursts(
        &self,
        dead: impl IntoIterator<Item = Dead<K, V>>,
        panics: &mut Panics,
    ) -> LastOwner<K, V> {
        let thread = threads::number();
        let begins = self.limbo.push(&self.bursts, thread, dead.into_iter().map(Dead::into_limbo));
        if begins { self.collect(thread, panics) } else { None }
    }

    /// Drops the flows in limbo that this thread, which has this number, has made ready.
    fn collect(&self, thread: usize, panics: &mut Panics) -> LastOwner<K, V> {
        let mut keeper = None;
        loop {
            let (taken, unseen) = self.limbo.take(thread);
            if taken.is_empty() {
                return keeper;
            }
            for index in taken {
                let dead = Dead::from_limbo(self.shards.arena.at(index), &unseen);
                keeper = self.reclaim(dead.drop_flow(&unseen, self.records.as_ref(), panics)).or(keeper);
            }
        }
    }

    /// Looks again at the flows that waited for the burst in this slot, which has closed, and drops those that no
    /// other burst may see. The caller borrows the table, so the table outlives the call.
    pub(crate) fn review(&self, slot: usize, panics: &mut Panics) {
        let (thread, mut left) = (threads::number(), usize::MAX);
        while left > 0 {
            if self.limbo.review(&self.bursts, thread, slot, &mut left) {
                drop(self.collect(thread, panics));
            }
        }
    }

    /// As [`review`](Self::review). If several drops panic, the first of these panics continues at the end.
    #[cold]
    pub(crate) fn collect_for(&self, slot: usize) {
        let mut panics = Panics::none();
        self.review(slot, &mut panics);
        panics.resume();
    }

    /// Takes the entry's slots out of the table, one shard's lock at a time.
    fn unlink_all(&self, flow: FlowAt<K, V>) {
        if flow.is_pair() {
            self.unlink_reply(flow);
        }
        self.shards.lock(flow.shard()).unlink_key(flow, Direction::Forward);
    }

    /// Takes a pair's slot for its reply key out of the table.
    #[inline(never)]
    fn unlink_reply(&self, pair: FlowAt<K, V>) {
        let shard = self.shards.index.shard_of(pair.hash(Direction::Reply));
        self.shards.lock(shard).unlink_key(pair, Direction::Reply);
    }

    /// As [`reclaim_here`](Self::reclaim_here).
    fn reclaim(&self, entry: Empty<K, V>) -> LastOwner<K, V> {
        self.reclaim_here(entry)
    }

    /// Takes the slots of an entry out whose flow has been dropped, and frees it.
    #[inline(always)]
    fn reclaim_here(&self, entry: Empty<K, V>) -> LastOwner<K, V> {
        let flow = entry.at();
        if flow.is_pair() {
            self.unlink_reply(flow);
        }
        let mut shard = self.shards.lock(flow.shard());
        shard.unlink_key(flow, Direction::Forward);
        shard.free(entry);
        let closed = shard.is_closed();
        drop(shard);
        if closed { self.keeper.count_out() } else { None }
    }
}
