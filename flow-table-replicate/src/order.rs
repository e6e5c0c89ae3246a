//! What orders the records of a flow.

use std::fmt;

/// The number of a shard's ownership: each take-over adds one. Below 2²⁴.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u32);

impl Epoch {
    /// Nobody has owned the shard yet.
    pub const NONE: Self = Self(0);
    /// The last epoch.
    pub const MAX: Self = Self((1 << 24) - 1);

    /// The epoch with this number, at most [`MAX`](Self::MAX).
    pub const fn new(number: u32) -> Self {
        if number > Self::MAX.0 { Self::MAX } else { Self(number) }
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The epoch after this one; `None` after [`MAX`](Self::MAX).
    pub const fn next(self) -> Option<Self> {
        if self.0 < Self::MAX.0 { Some(Self(self.0 + 1)) } else { None }
    }
}

/// One stay of a flow in a table: the epoch in which it began, and its number within the shard and epoch. A later
/// flow under the same key has a greater life; so has a flow that was reinserted.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(u64);

const GENERATION_BITS: u32 = 40;

impl Life {
    /// Not recorded yet.
    pub const NONE: Self = Self(0);

    /// The life with this number. Numbers have 40 bits: at a million new flows a second in *one* shard they last
    /// for twelve days, spread over all shards for nine years.
    pub const fn new(epoch: Epoch, generation: u64) -> Self {
        Self((epoch.get() as u64) << GENERATION_BITS | generation & ((1 << GENERATION_BITS) - 1))
    }

    /// The packed form.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The life with this packed form.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns `true` for [`NONE`](Self::NONE).
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The epoch in which it began.
    pub const fn epoch(self) -> Epoch {
        Epoch((self.0 >> GENERATION_BITS) as u32)
    }

    /// Its number within the shard and epoch.
    pub const fn generation(self) -> u64 {
        self.0 & ((1 << GENERATION_BITS) - 1)
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch().get(), self.generation())
    }
}

/// Returns `true` if the sequence number `new` is later than `old`, modulo 2³² (RFC 1982).
pub(crate) const fn is_later(new: u32, old: u32) -> bool {
    new != old && new.wrapping_sub(old) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_ordered_by_epoch_and_then_by_generation() {
        let life = |epoch, generation| Life::new(Epoch::new(epoch), generation);
        assert!(life(1, 9) < life(2, 0) && life(2, 0) < life(2, 1) && Life::NONE < life(0, 1));
        assert_eq!((life(3, 5).epoch(), life(3, 5).generation()), (Epoch::new(3), 5));
        assert_eq!((Epoch::MAX.next(), Epoch::NONE.next()), (None, Some(Epoch::new(1))));
        assert_eq!(format!("{:?}", life(3, 5)), "3.5");
    }

    #[test]
    fn sequences_go_round() {
        assert!(is_later(1, 0) && is_later(0, u32::MAX) && !is_later(0, 0) && !is_later(u32::MAX, 0));
    }
}
