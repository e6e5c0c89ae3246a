use arrayvec::ArrayVec;
use flow_table_api::Direction;

use crate::core::Core;
use crate::entry::Entry;
use crate::handle::StrongRef;
use crate::shard::ShardInner;
use crate::sync::MutexGuard;

/// P11. The locks of several shards, taken in the order of their numbers, so that no two threads wait for each other. Mostly one.
pub(crate) struct Locks<'c> {
    first: (usize, MutexGuard<'c, ShardInner>),
    others: ArrayVec<(usize, MutexGuard<'c, ShardInner>), { ShardSet::MAX - 1 }>,
}

/// The numbers of the shards that an operation must lock, ascending. An operation on two keys can meet two holders with two
/// keys each: six at most.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardSet {
    shards: [usize; Self::MAX],
    len: usize,
}

impl ShardSet {
    const MAX: usize = 6;

    #[inline]
    pub(crate) fn one(shard: usize) -> Self {
        Self { shards: [shard; Self::MAX], len: 1 }
    }

    /// Adds a shard; whether it was missing.
    pub(crate) fn add(&mut self, shard: usize) -> bool {
        let members = &self.shards[..self.len];
        let Err(at) = members.binary_search(&shard) else { return false };
        self.shards.copy_within(at..self.len, at + 1);
        self.shards[at] = shard;
        self.len += 1;
        true
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

/// References counted while shards were locked. They are given up when this is dropped, *after* the locks: the last one out
/// drops the value and locks the flow's shard. So declare it before the locks.
pub(crate) struct Borrowings<K, V> {
    first: ArrayVec<StrongRef<K, V>, 8>,
    /// Further ones, of flows whose tags are the same by chance.
    others: Vec<StrongRef<K, V>>,
}

impl<K, V> Borrowings<K, V> {
    pub(crate) const fn new() -> Self {
        Self { first: ArrayVec::new_const(), others: Vec::new() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_sets_are_ascending_and_without_doubles() {
        let mut set = ShardSet::one(3);
        assert!(set.add(1) && set.add(7) && !set.add(3) && set.add(2));
        assert_eq!(set.shards[..set.len], [1, 2, 3, 7]);
    }
}
