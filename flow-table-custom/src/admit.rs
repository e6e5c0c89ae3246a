//! Insertion: finding who holds the keys, deciding, and installing.
//!
//! An operation locks the shards of its keys and of whoever holds them, all at once, so what it decides on stays until it
//! is done: only a flow's end without a lock (`cancel`, expiry by a look-up) can come between, and is checked for.

use flow_table_api::{Direction, Flow, Key, Status, Timestamp, Value};

use crate::core::Core;
use crate::entry::{Entry, HELD};
use crate::handle::StrongRef;
use crate::hash::KeyHash;
use crate::index::EntryIndex;
use crate::locks::{Borrowings, Locks, ShardSet};
use crate::memory::AllocError;
use crate::page::Page;
use crate::slot::Slot;

/// The hashes of the keys to be installed: one or two.
#[derive(Clone, Copy)]
pub(crate) struct Hashes {
    pub(crate) forward: KeyHash,
    pub(crate) reply: Option<KeyHash>,
}

impl Hashes {
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = (KeyHash, Direction)> {
        std::iter::once((self.forward, Direction::Forward)).chain(self.reply.map(|hash| (hash, Direction::Reply)))
    }
}

/// Who is found under a key.
pub(crate) struct Holder<K, V> {
    pub(crate) entry: Entry<K, V>,
    pub(crate) index: EntryIndex,
    /// Which of *its* keys matched.
    pub(crate) direction: Direction,
    pub(crate) live: bool,
}

impl<K, V> Holder<K, V> {
    /// A handle, as found. The caller has a reference.
    pub(crate) fn handle(&self) -> StrongRef<K, V> {
        self.entry.refs().clone_one();
        // SAFETY: the reference was counted just now.
        unsafe { StrongRef::from_counted(self.entry, self.direction) }
    }
}

/// The shards locked, and who holds which key.
pub(crate) struct Found<'c, K, V> {
    pub(crate) locks: Locks<'c>,
    pub(crate) forward: Option<Holder<K, V>>,
    pub(crate) reply: Option<Holder<K, V>>,
}

impl<K: Key, V: Value> Core<K, V> {
    #[inline]
    pub(crate) fn hashes(&self, key: &K, reply: Option<&K>) -> Hashes {
        Hashes { forward: self.hash(key), reply: reply.map(|key| self.hash(key)) }
    }

    /// The shards of a flow's keys. The caller has a reference to it.
    pub(crate) fn shards_of(&self, index: EntryIndex) -> ShardSet {
        let mut set = ShardSet::one(self.shard_of(self.hash_in(index, Direction::Forward)));
        if index.is_pair() {
            set.add(self.shard_of(self.hash_in(index, Direction::Reply)));
        }
        set
    }

    /// Locks the shards of the keys and of their holders, and finds the holders. Expires holders
    /// that are due, if told the time.
    #[inline]
    pub(crate) fn find_holders<'c>(
        &'c self,
        (key, reply): (&K, Option<&K>),
        hashes: Hashes,
        now: Option<Timestamp>,
        borrowings: &mut Borrowings<K, V>,
    ) -> Found<'c, K, V> {
        let mut keys = ShardSet::one(self.shard_of(hashes.forward));
        if let Some(hash) = hashes.reply {
            keys.add(self.shard_of(hash));
        }
        // Again only if other operations have changed the holders meanwhile.
        let mut set = keys;
        loop {
            let mut locks = Locks::take(self, set);
            let forward = self.find_holder(&mut locks, key, hashes.forward, now, borrowings);
            let reply = match reply.zip(hashes.reply) {
                Some((key, hash)) => self.find_holder(&mut locks, key, hash, now, borrowings),
                None => None,
            };
            let (mut complete, mut wanted) = (true, keys);
            for holder in [&forward, &reply].into_iter().flatten().filter(|holder| holder.index.is_pair()) {
                for direction in [Direction::Forward, Direction::Reply] {
                    let shard = self.shard_of(self.hash_in(holder.index, direction));
                    wanted.add(shard);
                    complete &= set.contains(shard);
                }
            }
            if complete {
                return Found { locks, forward, reply };
            }
            set = wanted;
        }
    }

    #[inline]
    fn find_holder(
        &self,
        _: &mut Locks<'_>,
        key: &K,
        hash: KeyHash,
        now: Option<Timestamp>,
        borrowings: &mut Borrowings<K, V>,
    ) -> Option<Holder<K, V>> {
        let slot = self.segment(hash).find(hash, |slot| {
            // A dead slot is its owner's to take out: whoever brought the flow's count to zero is about to do it.
            let flow = borrowings.acquire(self.entry(slot.entry()), slot.direction())?;
            (flow.key_for(slot.direction()) == Some(key)).then_some(slot)
        })?;
        let entry = self.entry(slot.entry());
        let live = match now {
            Some(now) => {
                self.expire(entry, now);
                entry.state().load().is_live(now)
            }
            None => entry.state().load().status == Status::Active,
        };
        Some(Holder { entry, index: slot.entry(), direction: slot.direction(), live })
    }

    /// Takes all slots of a flow out: neither key finds it any more. Its shards are locked. The table may still hold it, for the
    /// next reap.
    pub(crate) fn unlink_locked(&self, locks: &mut Locks<'_>, index: EntryIndex) {
        let forward = self.hash_in(index, Direction::Forward);
        self.unlink(locks.shard(self.shard_of(forward)), forward, Slot::new(index, Direction::Forward));
        if index.is_pair() {
            let reply = self.hash_in(index, Direction::Reply);
            self.unlink(locks.shard(self.shard_of(reply)), reply, Slot::new(index, Direction::Reply));
        }
    }

    /// Makes room for a slot for each key of a flow. Its shards are locked.
    pub(crate) fn reserve_slots(&self, locks: &mut Locks<'_>, hashes: Hashes) -> Result<(), AllocError> {
        let slots = hashes.iter().count();
        hashes.iter().try_for_each(|(hash, _)| self.reserve(locks.shard(self.shard_of(hash)), hash, slots))
    }

    /// Fills a slot for each key of a flow, but for those that it has. There is room, and its shards are locked.
    pub(crate) fn link(&self, locks: &mut Locks<'_>, index: EntryIndex, hashes: Hashes) {
        for (hash, direction) in hashes.iter() {
            let (segment, slot) = (self.segment(hash), Slot::new(index, direction));
            if segment.find(hash, |other| (other == slot).then_some(())).is_none() {
                let owned = &mut locks.shard(self.shard_of(hash)).segments[self.local_segment(hash)];
                segment.insert(owned, hash, slot);
            }
        }
    }

    /// The table lets a flow that it holds go: it is no longer timed, and its reference is the caller's, as is its place in the
    /// capacity. Its shard is locked.
    pub(crate) fn let_go(&self, locks: &mut Locks<'_>, entry: Entry<K, V>) -> StrongRef<K, V> {
        let held = entry.options().clear_own(HELD);
        debug_assert!(held, "let go twice");
        let (page, index) = Page::of(entry);
        locks.shard(page.shard()).timers.disarm(index, &mut self.filed());
        // SAFETY: the table's own reference was counted, and `HELD`, which changes under this lock only, said so.
        unsafe { StrongRef::from_counted(entry, Direction::Forward) }
    }
}
