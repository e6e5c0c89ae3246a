use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU8;

use flow_table_api::{self as api, Direction};

/// The hash of a key, all bits of it.
#[inline]
pub(crate) fn hash_one(hasher: &impl BuildHasher, key: &(impl Hash + ?Sized)) -> api::KeyHash {
    api::KeyHash::new(hasher.hash_one(key))
}

/// How many of `keys` fall to one of `parts` parts of a table at most, if their hashes are good. In one part of a
/// billion there are more: it is six standard deviations above the mean, and some more for small numbers.
pub(crate) const fn share(keys: usize, parts: usize) -> usize {
    let mean = keys.div_ceil(parts);
    mean.saturating_add(6 * mean.isqrt() + 6)
}

/// The 32 bits of a key's hash that the table uses, kept beside each entry so that moving a slot needs no key.
///
/// ```text
///  31             21 20                    8 7        0
/// +-----------------+-----------------------+----------+
/// |     segment     |        bucket         |   tag    |
/// +-----------------+-----------------------+----------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

impl KeyHash {
    /// Bits that select the home bucket.
    pub(crate) const BUCKET_BITS: u32 = 13;

    #[inline]
    pub(crate) const fn new(hash: api::KeyHash) -> Self {
        Self((hash.get() >> 32) as u32)
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The first `bits` bits.
    #[inline]
    pub(crate) const fn prefix(self, bits: u32) -> usize {
        ((self.0 as u64) << bits >> 32) as usize
    }

    /// The home bucket among `mask + 1`.
    #[inline]
    pub(crate) const fn bucket(self, mask: usize) -> usize {
        (self.0 >> Tag::BITS) as usize & mask
    }

    /// The tag. Zero marks an empty slot, so hashes that end in zero get the tag one.
    #[inline]
    pub(crate) const fn tag(self) -> Tag {
        match NonZeroU8::new(self.0 as u8) {
            Some(tag) => Tag(tag),
            None => Tag(NonZeroU8::MIN),
        }
    }
}

/// The hashes of a flow's keys: one or two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHashes {
    pub(crate) forward: KeyHash,
    pub(crate) reply: Option<KeyHash>,
}

impl From<KeyHash> for KeyHashes {
    #[inline]
    fn from(forward: KeyHash) -> Self {
        Self { forward, reply: None }
    }
}

impl KeyHashes {
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = (KeyHash, Direction)> {
        std::iter::once((self.forward, Direction::Forward)).chain(self.reply.map(|hash| (hash, Direction::Reply)))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Eight bits of a hash, kept in the bucket. A look-up compares them before it touches an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(NonZeroU8);

impl Tag {
    pub(crate) const BITS: u32 = u8::BITS;

    #[inline]
    pub(crate) const fn get(self) -> u8 {
        self.0.get()
    }

    #[cfg(all(test, not(flow_table_loom)))]
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        match NonZeroU8::new(bits) {
            Some(tag) => Some(Self(tag)),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_a_little_more_than_the_mean() {
        assert_eq!([0, 1, 64, 1_000_000].map(|keys| share(keys, 1)), [6, 13, 118, 1_006_006]);
        assert_eq!(share(1 << 20, 64), 16_384 + 6 * 128 + 6);
        assert_eq!(share(usize::MAX, 1), usize::MAX);
    }

    proptest! {
        #[test]
        fn parts_come_from_their_bits(hash: u64, bits in 0u32..=12) {
            let key = KeyHash::new(api::KeyHash::new(hash));
            prop_assert_eq!(KeyHash::from_bits(key.to_bits()), key);
            prop_assert_eq!(key.prefix(bits) as u64, hash.checked_shr(64 - bits).unwrap_or(0));
            prop_assert_eq!(key.bucket(0xff) as u64, hash >> 40 & 0xff);
            prop_assert_ne!(key.tag().get(), 0);
        }
    }
}
