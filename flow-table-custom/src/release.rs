//! What happens when nobody references a flow any more.
//!
//! Whoever brought the count to zero owns the entry ([`finish`](Core::finish)): drops the value under no lock, takes what slots there are out of the
//! table, and frees the entry. If a burst is open that may be looking at the flow, the entry waits in limbo, without slots, until the
//! burst closes ([`collect`](Core::collect)).

use std::sync::Arc;

use flow_table_api::{Direction, Status};

use crate::core::Core;
use crate::entry::Entry;
use crate::hash::KeyHash;
use crate::index::EntryIndex;
use crate::memory::AllocError;
use crate::nesting;
use crate::page::Page;
use crate::panics::Panics;
use crate::segment::Hashes;
use crate::shard::ShardInner;
use crate::slot::Slot;
use crate::threads;

/// The table's last owner, if it is to be dropped now. Hold no reference to the core while dropping it.
type LastOwner<K, V> = Option<Arc<Core<K, V>>>;

/// Under the lock of the slot's shard: an entry is not freed before its slots are taken out.
impl<K, V> Hashes for Core<K, V> {
    fn hash_of(&self, slot: Slot) -> KeyHash {
        self.hash_in(slot.entry(), slot.direction())
    }

    fn prefetch(&self, slot: Slot) {
        self.page_of(slot.entry()).prefetch_record(slot.entry().place());
    }
}

impl<K, V> Core<K, V> {
    /// The hash of one of an entry's keys, for whoever may ask (see `page`).
    #[inline]
    pub(crate) fn hash_in(&self, index: EntryIndex, direction: Direction) -> KeyHash {
        let page = self.page_of(index);
        match direction {
            Direction::Forward => page.hash(index.place()),
            Direction::Reply => page.reply_hash(index.place()),
        }
    }

    /// Makes room for `slots` more slots in the segment of `hash`. Under its shard's lock.
    #[inline]
    pub(crate) fn reserve(&self, inner: &mut ShardInner, hash: KeyHash, slots: usize) -> Result<(), AllocError> {
        let owned = &mut inner.segments[self.local_segment(hash)];
        self.segment(hash).reserve(owned, slots, &self.buckets, self)
    }

    /// Takes a slot out of the segment of `hash`, if it is there. Under its shard's lock.
    pub(crate) fn unlink(&self, inner: &mut ShardInner, hash: KeyHash, slot: Slot) {
        let owned = &mut inner.segments[self.local_segment(hash)];
        let segment = self.segment(hash);
        if segment.remove(owned, hash, slot) {
            segment.shrink(owned, &self.buckets, self);
        }
    }

    /// Takes one of the slots of a flow that has ended out of the table. Reinsertion, which holds the lock of the slot's shard, has
    /// happened or cannot come between. The caller has a reference.
    pub(crate) fn unlink_unless_active(&self, index: EntryIndex, direction: Direction) {
        let hash = self.hash_in(index, direction);
        let mut inner = self.lock(self.shard_of(hash));
        if self.entry(index).state().load().status != Status::Active {
            self.unlink(&mut inner, hash, Slot::new(index, direction));
        }
    }

    /// Takes the entry's slots out of the table, one shard's lock at a time. The caller has a reference or owns the entry.
    pub(crate) fn unlink_all(&self, index: EntryIndex) {
        let forward = self.hash_in(index, Direction::Forward);
        self.unlink(&mut self.lock(self.shard_of(forward)), forward, Slot::new(index, Direction::Forward));
        if index.is_pair() {
            self.unlink_reply(index);
        }
    }

    /// Takes a pair's slot for its reply key out of the table. The caller has a reference or owns the entry.
    pub(crate) fn unlink_reply(&self, index: EntryIndex) {
        let reply = self.hash_in(index, Direction::Reply);
        self.unlink(&mut self.lock(self.shard_of(reply)), reply, Slot::new(index, Direction::Reply));
    }

    /// Frees an entry that has neither flow nor slots. Under the lock of its shard.
    pub(crate) fn free(&self, inner: &mut ShardInner, index: EntryIndex) {
        inner.slab(index.is_pair()).free(self, index);
        inner.entries -= 1;
    }

    /// The caller brought the count of `entry` to zero: drops the flow, or lets it wait for the bursts that may see it, or for the
    /// outermost of too many drops within drops.
    pub(crate) fn finish(&self, entry: Entry<K, V>, panics: &mut Panics) -> LastOwner<K, V> {
        let (_, index) = Page::of(entry);
        if !self.bursts.none_open() || nesting::is_deepest() {
            // P10: once the entry is in limbo others may free it, and with it the caller's claim on the core.
            let core = self.share();
            self.unlink_all(index);
            self.limbo.push(&self.bursts, [index]);
            return self.collect(panics).or(Some(core));
        }
        // SAFETY: the caller brought the count to zero, and no burst that could see the flow is open.
        unsafe { entry.drop_flow(panics) };
        self.reclaim(index)
    }

    /// Drops the flows in limbo that no open burst can see any more.
    pub(crate) fn collect(&self, panics: &mut Panics) -> LastOwner<K, V> {
        let mut keeper = None;
        if self.limbo.len() == 0 {
            return keeper;
        }
        let thread = threads::number();
        if !self.limbo.ask(thread) {
            return keeper;
        }
        loop {
            let taken = self.limbo.take(&self.bursts, thread);
            if taken.is_empty() {
                return keeper;
            }
            for index in taken {
                // SAFETY: whoever brought the count to zero put the entry in limbo, once; the bursts of that time are closed.
                unsafe { self.entry(index).drop_flow(panics) };
                keeper = self.reclaim(index).or(keeper);
            }
        }
    }

    /// As [`collect`](Self::collect), for whoever borrows the table, which then outlives the call. If several drops panic, the
    /// first of these panics goes on at the end.
    #[cold]
    pub(crate) fn collect_all(&self) {
        let mut panics = Panics::none();
        drop(self.collect(&mut panics));
        panics.resume();
    }

    /// Frees an entry whose flow has been dropped.
    fn reclaim(&self, index: EntryIndex) -> LastOwner<K, V> {
        let shard = self.shard_of(self.hash_in(index, Direction::Forward));
        if index.is_pair() {
            self.unlink_reply(index);
        }
        let mut inner = self.lock(shard);
        let forward = self.hash_in(index, Direction::Forward);
        self.unlink(&mut inner, forward, Slot::new(index, Direction::Forward));
        self.free(&mut inner, index);
        let closed = inner.closed;
        drop(inner);
        if closed { self.keeper.count_out() } else { None }
    }
}
