//! Shards of the key space: what is owned, moved and repaired as a whole. They have nothing to do with the shards
//! of a table's memory, whose hash is random.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// One of the 256 parts of the key space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u8);

impl ShardId {
    /// The number of shards.
    pub const COUNT: usize = 256;

    /// The shard with this number.
    pub const fn new(index: u8) -> Self {
        Self(index)
    }

    /// Its number, below [`COUNT`](Self::COUNT).
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Every shard.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }
}

impl fmt::Debug for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}", self.0)
    }
}

/// A set of shards.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ShardSet([u64; 4]);

impl ShardSet {
    /// No shard.
    pub const EMPTY: Self = Self([0; 4]);
    /// Every shard.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// The words of the set, bit by bit.
    pub const fn words(self) -> [u64; 4] {
        self.0
    }

    /// The set with these words.
    pub const fn from_words(words: [u64; 4]) -> Self {
        Self(words)
    }

    /// Returns `true` if the set has this shard.
    pub const fn contains(self, shard: ShardId) -> bool {
        self.0[shard.index() / 64] >> (shard.index() % 64) & 1 != 0
    }

    /// Adds a shard.
    pub const fn insert(&mut self, shard: ShardId) {
        self.0[shard.index() / 64] |= 1 << (shard.index() % 64);
    }

    /// Adds the shards of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    /// The number of shards in the set.
    pub fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns `true` if the set has no shard.
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// The shards in the set.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        ShardId::all().filter(move |shard| self.contains(*shard))
    }
}

impl FromIterator<ShardId> for ShardSet {
    fn from_iter<I: IntoIterator<Item = ShardId>>(shards: I) -> Self {
        let mut set = Self::EMPTY;
        shards.into_iter().for_each(|shard| set.insert(shard));
        set
    }
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("all shards");
        }
        f.debug_set().entries(self.iter().map(ShardId::get)).finish()
    }
}

/// The secret that all gateways of a cluster share: it decides which key is in which shard. Who does not know it
/// cannot choose keys of one shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClusterKey([u8; 16]);

impl ClusterKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A key that nobody else has.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        // Without the system's entropy the shards are guessable, and nothing else.
        let _ = getrandom::fill(&mut bytes);
        Self(bytes)
    }

    /// SipHash-1-3 (Aumasson and Bernstein, 2012) under this key. It is the same on every machine and in every
    /// version of this crate.
    pub(crate) fn hash(self, write: impl FnOnce(&mut SipHasher13)) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        write(&mut hasher);
        hasher.finish()
    }
}

impl fmt::Debug for ClusterKey {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sets() {
        let shards = [0, 63, 64, 255].map(ShardId::new);
        let set: ShardSet = shards.into_iter().collect();
        assert!(set.iter().eq(shards) && set.len() == 4 && !set.is_empty());
        assert!(ShardSet::ALL.iter().eq(ShardId::all()) && ShardSet::ALL.len() == ShardId::COUNT);
        assert_eq!(format!("{set:?} {:?}", ShardSet::ALL), "{0, 63, 64, 255} all shards");
    }

    #[test]
    fn the_hash_never_changes() {
        let key = ClusterKey::new(*b"0123456789abcdef");
        assert_eq!(key.hash(|hasher| hasher.write(b"flow")), 17_981_585_967_600_515_777);
        assert_ne!(ClusterKey::random().hash(|_| ()), ClusterKey::random().hash(|_| ()));
    }
}
