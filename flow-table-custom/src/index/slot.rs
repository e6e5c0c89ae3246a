//! The contents of a bucket's slot.

use std::fmt;
use std::num::NonZeroU32;

use flow_table_api::Direction;

use crate::ids::EntryIndex;

/// The contents of a slot: the index of an entry, and the direction of the key that the slot is for. The
/// direction is in bit 31 of the index, which is unused there. All zeros are no slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(NonZeroU32);

impl Slot {
    const REPLY: u32 = 1 << 31;

    #[inline]
    pub(crate) const fn new(entry: EntryIndex, direction: Direction) -> Self {
        let direction = if matches!(direction, Direction::Reply) { Self::REPLY } else { 0 };
        Self(NonZeroU32::new(entry.to_bits() | direction).expect("an index is not zero"))
    }

    #[inline]
    pub(crate) const fn entry(self) -> EntryIndex {
        EntryIndex::from_nonzero_bits(self.0.get() & !Self::REPLY)
    }

    #[inline]
    pub(crate) const fn direction(self) -> Direction {
        if self.0.get() & Self::REPLY == 0 { Direction::Forward } else { Direction::Reply }
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0.get()
    }

    /// Returns `None` for all zeros.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        match NonZeroU32::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.entry(), self.direction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_and_entry_do_not_mix() {
        assert_eq!(Slot::from_bits(0), None);
        for entry in [EntryIndex::new(0, 1, false), EntryIndex::new((1 << 20) - 1, 1023, true)] {
            for direction in [Direction::Forward, Direction::Reply] {
                let slot = Slot::new(entry, direction);
                assert_eq!((slot.entry(), slot.direction()), (entry, direction));
                assert_eq!(Slot::from_bits(slot.to_bits()), Some(slot));
            }
        }
    }
}
