use super::position::BlockNumber;
use super::tick::Bucket;

/// The buckets of one level of the wheel: the last block of each, and which are occupied.
pub(super) struct Level {
    occupied: [u64; Bucket::PER_LEVEL / 64],
    tails: [Option<BlockNumber>; Bucket::PER_LEVEL],
}

impl Level {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { occupied: [0; Bucket::PER_LEVEL / 64], tails: [None; Bucket::PER_LEVEL] })
    }

    /// The first occupied bucket.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        let (word, bits) = self.occupied.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// The last block of a bucket; `None` if the bucket is empty.
    #[inline]
    pub(super) fn tail(&self, digit: usize) -> Option<BlockNumber> {
        self.tails[digit]
    }

    #[inline]
    pub(super) fn set_tail(&mut self, digit: usize, tail: Option<BlockNumber>) {
        self.tails[digit] = tail;
        let bit = 1 << (digit % 64);
        if tail.is_some() {
            self.occupied[digit / 64] |= bit;
        } else {
            self.occupied[digit / 64] &= !bit;
        }
    }
}
