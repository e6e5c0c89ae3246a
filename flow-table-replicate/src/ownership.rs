//! Which shards this process owns, and in which epoch.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::record::Mark;
use crate::{Epoch, Life, ShardId, ShardSet};

/// What this process knows about the owner of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The latest epoch known.
    pub epoch: Epoch,
    /// This process owns the shard in that epoch.
    pub owned: bool,
    /// This process has claimed the shard in that epoch, and will own it.
    claimed: bool,
}

impl Role {
    const fn pack(self) -> u32 {
        self.epoch.get() << 8 | (self.claimed as u32) << 1 | self.owned as u32
    }

    const fn unpack(word: u32) -> Self {
        Self { epoch: Epoch::new(word >> 8), owned: word & 1 != 0, claimed: word & 2 != 0 }
    }

    const fn followed(epoch: Epoch) -> Self {
        Self { epoch, owned: false, claimed: false }
    }
}

/// The roles of all shards, and the lives that have begun in each.
#[derive(Debug)]
pub struct Ownership {
    roles: Box<[AtomicU32]>,
    generations: Box<[CachePadded<AtomicU64>]>,
    deposed: [AtomicU64; 4],
}

impl Ownership {
    pub(crate) fn new(owned: Option<Epoch>) -> Self {
        let role = Role { owned: owned.is_some(), ..Role::followed(owned.unwrap_or_default()) };
        Self {
            roles: ShardId::all().map(|_| AtomicU32::new(role.pack())).collect(),
            generations: ShardId::all().map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            deposed: Default::default(),
        }
    }

    /// The role of this process in a shard.
    #[inline]
    pub fn role(&self, shard: ShardId) -> Role {
        // Acquire: pairs with the Release in `change`. Who sees an epoch also sees what was followed before it.
        Role::unpack(self.roles[shard.index()].load(Ordering::Acquire))
    }

    /// The shards that this process owns.
    pub fn owned(&self) -> ShardSet {
        ShardId::all().filter(|shard| self.role(*shard).owned).collect()
    }

    /// The shards that this process owned until it met a later epoch, since this was called last.
    pub fn take_deposed(&self) -> ShardSet {
        // Relaxed: a set of bits of its own.
        ShardSet::from_words(std::array::from_fn(|word| self.deposed[word].swap(0, Ordering::Relaxed)))
    }

    fn change(&self, shard: ShardId, next: impl Fn(Role) -> Option<Role>) -> Option<Role> {
        let next = |word| next(Role::unpack(word)).map(Role::pack);
        // AcqRel: see `role`.
        let changed = self.roles[shard.index()].fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        changed.ok().map(Role::unpack)
    }

    /// This process's claim of the shard has come back: what earlier epochs write from now on is refused.
    pub(crate) fn fence(&self, shard: ShardId, epoch: Epoch) {
        let next = |role: Role| (role.epoch < epoch).then_some(Role { epoch, claimed: true, ..role });
        let _ = self.change(shard, next);
    }

    /// Takes the shard in this epoch. Returns `false` if a later epoch, or this epoch of another owner, is known.
    pub(crate) fn claim(&self, shard: ShardId, epoch: Epoch) -> bool {
        let next = |role: Role| {
            let free = role.epoch < epoch || role.epoch == epoch && role.claimed;
            free.then_some(Role { owned: true, ..Role::followed(epoch) })
        };
        self.change(shard, next).is_some()
    }

    /// Somebody else owns the shard in this epoch, or in a later one. Of two that took a shard in one epoch,
    /// without the registry, this is the one that the registry has not.
    pub(crate) fn step_down(&self, shard: ShardId, epoch: Epoch) {
        let next = |role: Role| (role.epoch <= epoch).then_some(Role::followed(epoch));
        self.note(shard, self.change(shard, next));
    }

    fn note(&self, shard: ShardId, before: Option<Role>) {
        if before.is_some_and(|before| before.owned) {
            // Relaxed: as in `take_deposed`.
            self.deposed[shard.index() / 64].fetch_or(1 << (shard.index() % 64), Ordering::Relaxed);
        }
    }

    /// Somebody writes in this epoch. Returns `false` if the epoch is over. Steps down from a shard that somebody
    /// owns in a later epoch.
    pub(crate) fn observe(&self, shard: ShardId, epoch: Epoch) -> bool {
        let known = self.role(shard);
        if epoch <= known.epoch {
            // An epoch has one owner: what others write in ours is as stale as what they write in an earlier one.
            return epoch == known.epoch && !known.owned;
        }
        let next = |role: Role| (role.epoch < epoch).then_some(Role::followed(epoch));
        match self.change(shard, next) {
            Some(before) => {
                self.note(shard, Some(before));
                true
            }
            None => self.observe(shard, epoch),
        }
    }

    /// The next life in a shard of this epoch.
    pub(crate) fn next_life(&self, shard: ShardId, epoch: Epoch) -> Life {
        // SeqCst: see `Feed::begun`.
        Life::new(epoch, self.generations[shard.index()].fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// What a sweep of the shards owned covers, if it begins now.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let marks = ShardId::all().filter_map(|shard| {
            let role = self.role(shard);
            // SeqCst: pairs with `next_life`. A flow is in the table before it gets its life.
            let last = self.generations[shard.index()].load(Ordering::SeqCst);
            role.owned.then_some(Mark { shard, epoch: role.epoch, last: Life::new(role.epoch, last) })
        });
        marks.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId::new(9);

    #[test]
    fn a_later_epoch_deposes_and_an_earlier_one_is_refused() {
        let owner = Ownership::new(Some(Epoch::new(1)));
        assert!(!owner.observe(SHARD, Epoch::new(1)), "another owner of our epoch");
        assert!(owner.role(SHARD).owned && owner.take_deposed().is_empty());
        assert!(owner.observe(SHARD, Epoch::new(2)));
        assert_eq!(owner.role(SHARD), Role::followed(Epoch::new(2)));
        assert!(owner.take_deposed().iter().eq([SHARD]) && owner.take_deposed().is_empty());
        assert!(owner.observe(SHARD, Epoch::new(2)) && !owner.observe(SHARD, Epoch::new(1)));
        assert!(!owner.claim(SHARD, Epoch::new(2)) && owner.claim(SHARD, Epoch::new(3)));
        owner.fence(SHARD, Epoch::new(4));
        assert!(!owner.observe(SHARD, Epoch::new(3)) && owner.claim(SHARD, Epoch::new(4)));
        owner.step_down(SHARD, Epoch::new(4));
        assert!(owner.take_deposed().contains(SHARD) && !owner.claim(SHARD, Epoch::new(4)));
        assert!(owner.claim(SHARD, Epoch::new(5)));
        assert_eq!(owner.owned().len(), 256);
    }

    #[test]
    fn lives_grow_over_epochs() {
        let owner = Ownership::new(Some(Epoch::new(1)));
        let first = owner.next_life(SHARD, Epoch::new(1));
        assert!(first < owner.next_life(SHARD, Epoch::new(1)));
        assert!(owner.next_life(SHARD, Epoch::new(1)) < owner.next_life(SHARD, Epoch::new(2)));
        let marks = owner.marks();
        assert_eq!((marks.len(), marks[SHARD.index()].last), (256, Life::new(Epoch::new(1), 4)));
    }
}
