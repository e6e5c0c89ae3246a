use std::num::NonZeroUsize;

use crate::KeyHasher;

/// How to make a table.
///
/// ```
/// # use flow_table_api::TableConfig;
/// let config = TableConfig::new(1_000_000).shards(16);
/// ```
#[derive(Clone, Debug)]
pub struct TableConfig {
    capacity: usize,
    shards: Option<NonZeroUsize>,
    hash_seed: Option<u64>,
}

impl TableConfig {
    /// A table for at most `capacity` flows (contract C1). Nothing is allocated for flows that are not there.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, shards: None, hash_seed: None }
    }

    /// How many independently locked parts the table has; rounded up to what the backend can do, normally a power
    /// of two. By default a multiple of the machine's processors. Zero is taken as one.
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = NonZeroUsize::new(if shards == 0 { 1 } else { shards });
        self
    }

    /// Fixes the hash seed, for tests. Never do this where others choose the keys (contract C4).
    pub const fn hash_seed(mut self, seed: u64) -> Self {
        self.hash_seed = Some(seed);
        self
    }

    /// The most flows that the table may hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The wished number of shards, if one was given.
    pub const fn wished_shards(&self) -> Option<NonZeroUsize> {
        self.shards
    }

    /// The hasher to use: with the given seed, or with a random one.
    pub fn hasher(&self) -> KeyHasher {
        self.hash_seed.map_or_else(KeyHasher::random, KeyHasher::with_seed)
    }
}
