//! The contents of a bucket's slot.

use std::fmt;

use flow_table_api::Direction;

use crate::ids::EntryIndex;

/// The contents of a slot: the index of an entry, and the direction of the key that the slot is for. The
/// direction is in bit 31 of the index, which is unused there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    entry: EntryIndex,
    direction: Direction,
}

impl Slot {
    const REPLY: u32 = 1 << 31;

    #[inline]
    pub(crate) const fn new(entry: EntryIndex, direction: Direction) -> Self {
        Self { entry, direction }
    }

    #[inline]
    pub(crate) const fn entry(self) -> EntryIndex {
        self.entry
    }

    #[inline]
    pub(crate) const fn direction(self) -> Direction {
        self.direction
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u32 {
        match self.direction {
            Direction::Forward => self.entry.to_bits(),
            Direction::Reply => self.entry.to_bits() | Self::REPLY,
        }
    }

    /// Returns `None` for all zeros, which are no slot.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        let direction = if bits & Self::REPLY == 0 { Direction::Forward } else { Direction::Reply };
        match EntryIndex::from_bits(bits & !Self::REPLY) {
            Some(entry) => Some(Self { entry, direction }),
            None => None,
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.entry, self.direction)
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
