use arrayvec::ArrayVec;
use flow_table_api::Direction;

use crate::core::Core;
use crate::index::EntryIndex;
use crate::nesting;
use crate::panics::Panics;
use crate::reap::{BATCH, Claimed};
use crate::shard::ShardInner;

/// One-key flows of a shard whose last reference was the table's: a batch that is dropped and freed together, with one
/// look at the open bursts and one lock of the shard.
pub(crate) struct Doomed<'c, K, V> {
    core: &'c Core<K, V>,
    shard: usize,
    /// Without slots, but with keys and values.
    entries: ArrayVec<EntryIndex, BATCH>,
    /// Some went to limbo.
    waits: bool,
}

impl<'c, K, V> Doomed<'c, K, V> {
    pub(crate) const fn new(core: &'c Core<K, V>, shard: usize) -> Self {
        Self { core, shard, entries: ArrayVec::new_const(), waits: false }
    }

    /// Gives up the table's references to the one-key flows among the claimed, and takes the slots of those out that nobody
    /// else holds or that may not be found. The shard is locked. Two-key flows stay in `claimed`, to be dropped under no lock.
    pub(crate) fn take_from(&mut self, inner: &mut ShardInner, claimed: &mut Claimed) {
        let core = self.core;
        if claimed.len() > 1 {
            for let_go in &*claimed {
                let hash = core.hash_in(let_go.index, Direction::Forward);
                core.segment(hash).prefetch(hash);
            }
        }
        claimed.retain(|let_go| {
            let index = let_go.index;
            let findable = core.is_findable(index);
            let last = !index.is_pair() && core.entry(index).refs().release();
            // Whoever else may hold it: nobody frees the entry without this shard's lock.
            if last || !findable {
                core.unlink_forward(inner, index);
            }
            if last {
                self.entries.push(index);
            }
            index.is_pair()
        });
        if self.entries.is_empty() {
            return;
        }
        if !core.bursts.none_open() || nesting::is_deepest() {
            core.limbo.push(&core.bursts, self.entries.drain(..));
            self.waits = true;
        } else if const { !std::mem::needs_drop::<(K, V)>() } {
            self.entries.drain(..).for_each(|index| core.free(inner, index));
        }
    }

    /// Drops the flows and frees the entries. No shard is locked.
    pub(crate) fn run(self, panics: &mut Panics) {
        for &index in &self.entries {
            // SAFETY: `take_from` brought the count to zero and saw no burst open since; this is done once.
            unsafe { self.core.entry(index).drop_flow(panics) };
        }
        if !self.entries.is_empty() {
            let mut inner = self.core.lock(self.shard);
            self.entries.iter().for_each(|&index| self.core.free(&mut inner, index));
        }
        if self.waits {
            // A burst that was open may have looked into limbo before the flows came there.
            drop(self.core.collect(panics));
        }
    }
}
