use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

use foldhash::SharedSeed;
use foldhash::quality::{FoldHasher, SeedableRandomState};

/// The hasher of a table for which no other is chosen: `foldhash` (quality variant) with a seed of the table's own
/// (contract C4).
///
/// It is fast on the few machine words of a [`FlowKey`](crate::FlowKey). It is not a cryptographic hash: an
/// attacker who learns hashes can recover the seed. Seeing packets go by reveals no hash, and nothing in this
/// project shows one except [`KeyHash::get`].
#[derive(Clone)]
pub struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// A hasher whose seed comes from the system's entropy. Each hasher draws a new seed, so a forked process,
    /// which starts with a copy of its parent's memory, gets seeds of its own.
    pub fn random() -> Self {
        // Without the system's entropy, the seed is made of what the process drew when it started and of its
        // number.
        let seed = getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(std::process::id()));
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_random()))
    }

    /// A hasher with a given seed, for tests that need the same table twice. The same seed produces the same
    /// hashes in every process.
    pub fn with_seed(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
    }
}

impl Default for KeyHasher {
    /// [`random`](Self::random).
    fn default() -> Self {
        Self::random()
    }
}

impl BuildHasher for KeyHasher {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

impl fmt::Debug for KeyHasher {
    /// Does not show the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHasher").finish_non_exhaustive()
    }
}

/// The hash of a key in one table (contract L8). Compute it once ([`Table::hash`](crate::Table::hash)), and carry
/// it from a look-up that misses ([`Table::lookup_hashed`](crate::Table::lookup_hashed)) to the insertion that
/// follows ([`FlowSpec::hashed`](crate::FlowSpec::hashed)).
///
/// It is valid for that table only. Do not show it to whoever chooses the keys: hashes reveal the table's seed.
///
/// # A hash that the caller has
///
/// [`Table::hash_of`](crate::Table::hash_of) makes one of a hash that the caller has computed elsewhere, such as
/// the one that a network card delivers with each packet (RSS). It mixes that hash with the table's seed, but keys
/// whose hashes are equal before are equal afterwards: whoever can choose keys of one hash slows down look-ups,
/// and the caller answers for that. The card's usual function (Toeplitz) is linear, so such keys are easily found.
///
/// A flow that was inserted with such a hash is found only with the same hash: use it for every look-up and
/// insertion of a key, and [`remove_flow`](crate::Table::remove_flow) instead of [`remove`](crate::Table::remove).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(NonZeroU64);

impl KeyHash {
    /// For backends: wraps the hash that the table's hasher computed. The lowest bit is not kept.
    #[inline]
    pub const fn new(hash: u64) -> Self {
        match NonZeroU64::new(hash | 1) {
            Some(hash) => Self(hash),
            None => unreachable!(),
        }
    }

    /// For backends: the hash that was passed to [`new`](Self::new), with the lowest bit set.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for KeyHash {
    /// Does not show the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHash").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_carried_but_for_its_lowest_bit() {
        assert_eq!([0, 6, 7, u64::MAX].map(|hash| KeyHash::new(hash).get()), [1, 7, 7, u64::MAX]);
        assert_eq!(size_of::<Option<KeyHash>>(), 8);
    }

    #[test]
    fn seeds_decide_the_hashes() {
        assert_eq!(KeyHasher::with_seed(1).hash_one(42u64), KeyHasher::with_seed(1).hash_one(42u64));
        assert_ne!(KeyHasher::with_seed(1).hash_one(42u64), KeyHasher::with_seed(2).hash_one(42u64));
        assert_ne!(KeyHasher::random().hash_one(42u64), KeyHasher::random().hash_one(42u64));
    }
}
