use std::fmt;
use std::hash::{BuildHasher, RandomState};

use foldhash::SharedSeed;
use foldhash::quality::{FoldHasher, SeedableRandomState};

/// The hasher of every table: `foldhash` (quality variant) with a seed of the table's own (contract C4).
///
/// It is fast on the few machine words of a [`FlowKey`](crate::FlowKey). It is no cryptographic hash: whoever learns
/// hashes, not only sees packets go by, can recover the seed; nothing in this project exposes one.
#[derive(Clone)]
pub struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// A seed from the system's entropy, drawn anew for each hasher: also a forked process, which starts with a copy of its
    /// parent's memory, gets seeds of its own.
    pub fn random() -> Self {
        // Without the system's entropy, what the process drew when it started must do, and its number.
        let seed = getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(std::process::id()));
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_random()))
    }

    /// A given seed, for tests that need the same table twice: the same hashes in every process.
    pub fn with_seed(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_decide_the_hashes() {
        assert_eq!(KeyHasher::with_seed(1).hash_one(42u64), KeyHasher::with_seed(1).hash_one(42u64));
        assert_ne!(KeyHasher::with_seed(1).hash_one(42u64), KeyHasher::with_seed(2).hash_one(42u64));
        assert_ne!(KeyHasher::random().hash_one(42u64), KeyHasher::random().hash_one(42u64));
    }
}
