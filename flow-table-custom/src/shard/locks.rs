//! Locking several shards at once: a flow with two keys, and the flows that it displaces, may belong to up to
//! four.

use arrayvec::ArrayVec;

use super::guard::ShardGuard;
use super::shards::Shards;
use crate::flows::FlowAt;
use crate::hash::{KeyHash, KeyHashes};
use crate::ids::EntryIndex;
use crate::index::Slot;
use crate::memory::AllocError;

/// P11. The locks of one or more shards, taken in the order of their numbers, so that no two threads wait for
/// each other. Most operations need one.
pub(crate) struct Locks<'s, K, V> {
    first: ShardGuard<'s, K, V>,
    others: ArrayVec<ShardGuard<'s, K, V>, { ShardSet::MAX - 1 }>,
}

/// The numbers of the shards that an operation must lock, in ascending order. There are at most four: an
/// operation on two keys can meet two holders, each with one more key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardSet {
    shards: [usize; Self::MAX],
    len: usize,
}

impl ShardSet {
    const MAX: usize = 4;

    #[inline]
    pub(crate) fn one(shard: usize) -> Self {
        Self { shards: [shard; Self::MAX], len: 1 }
    }

    fn contains(self, shard: usize) -> bool {
        self.shards[..self.len].contains(&shard)
    }

    /// Returns `true` if all its shards are in the other set.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.shards[..self.len].iter().all(|&shard| other.contains(shard))
    }

    /// Adds a shard, if it is missing.
    pub(crate) fn add(&mut self, shard: usize) {
        let members = &self.shards[..self.len];
        if let Err(at) = members.binary_search(&shard) {
            self.shards.copy_within(at..self.len, at + 1);
            self.shards[at] = shard;
            self.len += 1;
        }
    }
}

impl<K, V> Shards<K, V> {
    /// The shards of these keys.
    #[inline]
    pub(crate) fn set_of(&self, hashes: KeyHashes) -> ShardSet {
        let mut set = ShardSet::one(self.index.shard_of(hashes.forward));
        if let Some(hash) = hashes.reply {
            set.add(self.index.shard_of(hash));
        }
        set
    }
}

impl<'s, K, V> Locks<'s, K, V> {
    #[inline]
    pub(crate) fn take(shards: &'s Shards<K, V>, set: ShardSet) -> Self {
        let first = shards.lock(set.shards[0]);
        let others = set.shards[1..set.len].iter().map(|&shard| shards.lock(shard)).collect();
        Self { first, others }
    }

    /// One shard of the set.
    #[inline]
    pub(crate) fn shard(&mut self, shard: usize) -> &mut ShardGuard<'s, K, V> {
        if self.first.number() == shard {
            return &mut self.first;
        }
        self.others.iter_mut().find(|guard| guard.number() == shard).expect("the shard is in the set")
    }

    /// The shard of a key's hash.
    #[inline]
    pub(crate) fn of(&mut self, hash: KeyHash) -> &mut ShardGuard<'s, K, V> {
        let shard = self.first.shard_of(hash);
        self.shard(shard)
    }

    /// Makes room for a slot for each key of a flow.
    pub(crate) fn reserve_slots(&mut self, hashes: KeyHashes) -> Result<(), AllocError> {
        let slots = if hashes.reply.is_some() { 2 } else { 1 };
        hashes.iter().try_for_each(|(hash, _)| self.of(hash).reserve(hash, slots))
    }

    /// Fills a slot for each key of a flow, except those that are filled already. There must be room.
    pub(crate) fn link(&mut self, index: EntryIndex, hashes: KeyHashes) {
        hashes.iter().for_each(|(hash, direction)| self.of(hash).link(hash, Slot::new(index, direction)));
    }

    /// Empties all slots of a flow, so that look-ups find it by neither key. The table may still hold it for
    /// the next reap.
    pub(crate) fn unlink(&mut self, flow: FlowAt<K, V>) {
        flow.hashes().iter().for_each(|(hash, direction)| self.of(hash).unlink_key(flow, direction));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_sets_are_ascending_and_without_doubles() {
        let mut set = ShardSet::one(3);
        [1, 7, 3, 2].into_iter().for_each(|shard| set.add(shard));
        assert!(set.contains(7) && !set.contains(4));
        assert_eq!(set.shards[..set.len], [1, 2, 3, 7]);
    }
}
