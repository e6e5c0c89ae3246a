use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crossbeam::utils::CachePadded;

use crate::sync;

/// Locks that serialize writers per key.
///
/// An insertion has to look at two keys, decide, and change two slots of the map, which may share a shard or not; no guard
/// of the map may be kept meanwhile. So insertion, reinsertion and removal hold the stripes of all keys concerned,
/// exclusively and in ascending order, for as long as they take: writers of one key come one after the other,
/// crossing pairs cannot deadlock, and what a writer has read of its keys stays true but for flows that end.
///
/// Look-ups use the map alone. Only one that comes upon a flow which is not live, and may be half way in or out, waits for
/// the key's writer, by holding the stripe *shared* for a second look (contract X1, L6).
///
/// **Ground rule**: of the user's code only `Eq` of keys runs under a stripe. Whatever else may be dropped or cloned is
/// kept in variables that outlive the guard, or dealt with before it.
pub(crate) struct Stripes(Box<[CachePadded<RwLock<()>>]>);

/// The exclusive hold of one key or two.
pub(crate) struct Held<'s> {
    _first: RwLockWriteGuard<'s, ()>,
    _second: Option<RwLockWriteGuard<'s, ()>>,
}

impl Stripes {
    /// At least `wished` stripes.
    pub(crate) fn new(wished: usize) -> Self {
        Self((0..wished.next_power_of_two()).map(|_| CachePadded::default()).collect())
    }

    /// Bytes that the stripes occupy.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.0)
    }

    const fn index(&self, hash: u64) -> usize {
        // The map takes its shard from other bits.
        (hash >> 16) as usize & (self.0.len() - 1)
    }

    /// Waits until no writer holds the key, and keeps writers out.
    pub(crate) fn settle(&self, hash: u64) -> RwLockReadGuard<'_, ()> {
        sync::read(&self.0[self.index(hash)])
    }

    /// Holds the keys with these hashes exclusively.
    pub(crate) fn hold(&self, hash: u64, other: Option<u64>) -> Held<'_> {
        let one = self.index(hash);
        let two = other.map_or(one, |hash| self.index(hash));
        Held {
            _first: sync::write(&self.0[one.min(two)]),
            _second: (one != two).then(|| sync::write(&self.0[one.max(two)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_of_one_stripe_are_locked_once() {
        let stripes = Stripes::new(1);
        let held = stripes.hold(1 << 16, Some(2 << 16));
        assert!(stripes.0[0].try_read().is_err());
        drop(held);
        assert!(stripes.0[0].try_write().is_ok());
    }

    #[test]
    fn both_orders_take_the_lower_stripe_first() {
        let stripes = Stripes::new(4);
        for (hash, other) in [(1 << 16, 3 << 16), (3 << 16, 1 << 16)] {
            let held = stripes.hold(hash, Some(other));
            assert!(stripes.0[1].try_read().is_err() && stripes.0[3].try_read().is_err());
            assert!(stripes.0[0].try_read().is_ok());
            drop(held);
        }
    }
}
