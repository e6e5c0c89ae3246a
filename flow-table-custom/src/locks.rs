use arrayvec::ArrayVec;
use flow_table_api::Direction;

use crate::core::Core;
use crate::entry::Entry;
use crate::handle::StrongRef;
use crate::panics::Panics;
use crate::shard::ShardInner;
use crate::sync::MutexGuard;

/// P11. The locks of several shards, taken in the order of their numbers, so that no two threads wait for each other. Mostly one.
pub(crate) struct Locks<'c> {
    first: (usize, MutexGuard<'c, ShardInner>),
    others: ArrayVec<(usize, MutexGuard<'c, ShardInner>), { ShardSet::MAX - 1 }>,
}

/// The numbers of the shards that an operation must lock, ascending. An operation on two keys can meet two holders, each with one more
/// key: four at most.
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

    pub(crate) fn contains(&self, shard: usize) -> bool {
        self.shards[..self.len].contains(&shard)
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

impl<'c> Locks<'c> {
    #[inline]
    pub(crate) fn take<K, V>(core: &'c Core<K, V>, set: ShardSet) -> Self {
        let first = (set.shards[0], core.lock(set.shards[0]));
        let others = set.shards[1..set.len].iter().map(|&shard| (shard, core.lock(shard))).collect();
        Self { first, others }
    }

    /// What the lock of `shard`, one of the set, guards.
    #[inline]
    pub(crate) fn shard(&mut self, shard: usize) -> &mut ShardInner {
        if self.first.0 == shard {
            return &mut self.first.1;
        }
        let guard = self.others.iter_mut().find(|(number, _)| *number == shard);
        &mut guard.expect("the shard is in the set").1
    }
}

/// References counted while shards were locked, to be given up under no lock: the last one out drops the value, which may panic, and
/// locks the flow's shard.
pub(crate) struct Borrowings<K, V> {
    first: ArrayVec<StrongRef<K, V>, 8>,
    /// Further ones, of flows whose tags are the same by chance.
    others: Vec<StrongRef<K, V>>,
}

impl<K, V> Borrowings<K, V> {
    /// Runs `operation`, which has unlocked all shards when it returns, and gives up the references that it counted. If values panic
    /// meanwhile, the first of these panics goes on when all are given up and the result is dropped: nothing leaks.
    #[inline]
    pub(crate) fn lend<R>(operation: impl FnOnce(&mut Self) -> R) -> R {
        let mut borrowings = Self { first: ArrayVec::new_const(), others: Vec::new() };
        let result = operation(&mut borrowings);
        // Before the result is returned: what is on its way out of a function leaks if a local's drop panics.
        drop(borrowings);
        result
    }

    /// Counts a reference to what is in `entry`, if there is a flow.
    #[inline]
    pub(crate) fn acquire(&mut self, entry: Entry<K, V>, direction: Direction) -> Option<&StrongRef<K, V>> {
        entry.refs().try_acquire()?;
        // SAFETY: the reference was counted just now.
        let handle = unsafe { StrongRef::from_counted(entry, direction) };
        match self.first.try_push(handle) {
            Ok(()) => self.first.last(),
            Err(full) => {
                self.others.push(full.element());
                self.others.last()
            }
        }
    }
}

impl<K, V> Drop for Borrowings<K, V> {
    fn drop(&mut self) {
        let mut panics = Panics::none();
        panics.repeat(|| self.first.pop().or_else(|| self.others.pop()).map(drop).is_some());
        panics.resume();
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
