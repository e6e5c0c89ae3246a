use std::fmt;
use std::num::NonZeroU32;

/// Where an entry is filed in its shard's timer queue. The entry's record keeps it, so that removal needs no
/// search.
///
/// ```text
///   31   30                              6 5        0
/// +------+--------------------------------+----------+
/// |  0   |                0               |  0 or 1  |   nowhere; 1: the entry has lost its slot in the index too
/// |  0   |        block number, not 0     |   slot   |   in a bucket of the wheel
/// +------+----+---------------------------+----------+
/// |  1   | 0  | 0 |          index                   |   in the heap
/// |  1   | 0  | 1 |          index                   |   in the run
/// |  1   | 1  | 0 |          index                   |   in no queue: in the list of dying flows
/// |  1   | 1  | 1 |          number                  |   nowhere: a reap asks the question of this number
/// +------+----+---+----------------------------------+
/// ```
///
/// All-zero memory is [`NONE`](Self::NONE).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position(u32);

/// A [`Position`] taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Nowhere,
    Heap(usize),
    Run(usize),
    Dying(usize),
    Block(BlockNumber, usize),
}

/// The number of a block of the wheel. Never zero, so that `Option<BlockNumber>` takes four bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockNumber(NonZeroU32);

impl Position {
    /// Not filed.
    pub(crate) const NONE: Self = Self(0);
    /// Not filed, and known to have no slot in the index, so that its owner need not look for it.
    pub(crate) const UNLINKED: Self = Self(1);

    const HEAP: u32 = 1 << 31;
    const DYING: u32 = 1 << 30;
    const ASKED: u32 = 1 << 29;
    const RUN: u32 = 1 << 29;
    /// The three bits that tell the last four kinds apart.
    const KIND: u32 = Self::HEAP | Self::DYING | Self::ASKED;
    const SLOT_BITS: u32 = 6;

    #[inline]
    pub(super) fn in_heap(index: usize) -> Self {
        debug_assert!(index < Self::RUN as usize);
        Self(Self::HEAP | index as u32)
    }

    #[inline]
    pub(super) fn in_run(index: usize) -> Self {
        debug_assert!(index < Self::RUN as usize);
        Self(Self::HEAP | Self::RUN | index as u32)
    }

    /// The position on the list of the dying.
    pub(crate) fn dying(index: usize) -> Self {
        debug_assert!(index < Self::ASKED as usize);
        Self(Self::HEAP | Self::DYING | index as u32)
    }

    /// Not filed, because a reap asks about the flow: the question of this number, of which 29 bits count.
    pub(crate) const fn asked(question: u32) -> Self {
        Self(Self::KIND | question)
    }

    #[inline]
    pub(super) fn in_block(block: BlockNumber, slot: usize) -> Self {
        debug_assert!(slot < 1 << Self::SLOT_BITS);
        Self(block.0.get() << Self::SLOT_BITS | slot as u32)
    }

    #[inline]
    pub(crate) fn place(self) -> Place {
        if self.0 & Self::HEAP != 0 {
            let index = (self.0 & !Self::KIND) as usize;
            return match (self.0 & Self::DYING != 0, self.0 & Self::RUN != 0) {
                (true, true) => Place::Nowhere,
                (true, false) => Place::Dying(index),
                (false, true) => Place::Run(index),
                (false, false) => Place::Heap(index),
            };
        }
        match NonZeroU32::new(self.0 >> Self::SLOT_BITS) {
            Some(block) => Place::Block(BlockNumber(block), (self.0 & ((1 << Self::SLOT_BITS) - 1)) as usize),
            None => Place::Nowhere,
        }
    }

    /// Returns `true` if the entry is filed anywhere.
    #[inline]
    pub(crate) const fn is_filed(self) -> bool {
        self.0 >> Self::SLOT_BITS != 0 && self.0 & Self::KIND != Self::KIND
    }

    /// Returns `true` if the entry is on the list of the dying.
    pub(crate) const fn is_dying(self) -> bool {
        self.0 & Self::KIND == Self::HEAP | Self::DYING
    }

    /// The packed form, for the record that keeps it.
    #[inline]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// The position whose packed form is `bits`.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl BlockNumber {
    /// The number of blocks that one queue can have: enough for two thousand million entries.
    pub(super) const LIMIT: usize = (1 << (31 - Position::SLOT_BITS)) - 1;

    /// The block at `index`, counted from zero.
    #[inline]
    pub(super) fn from_index(index: usize) -> Self {
        debug_assert!(index < Self::LIMIT);
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Place::Nowhere => f.write_str("not filed"),
            Place::Heap(index) => write!(f, "heap {index}"),
            Place::Run(index) => write!(f, "run {index}"),
            Place::Dying(index) => write!(f, "dying {index}"),
            Place::Block(block, slot) => write!(f, "block {block:?}:{slot}"),
        }
    }
}

impl fmt::Debug for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.index().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_is_not_filed() {
        assert_eq!(Position::from_bits(0), Position::NONE);
        assert_eq!(Position::NONE.place(), Place::Nowhere);
        assert_eq!(Position::UNLINKED.place(), Place::Nowhere);
        assert!(!Position::NONE.is_filed() && !Position::UNLINKED.is_filed());
        assert_eq!(size_of::<Option<BlockNumber>>(), 4);
    }

    #[test]
    fn the_last_block_is_not_taken_for_the_heap() {
        let last = BlockNumber::from_index(BlockNumber::LIMIT - 1);
        assert_eq!(Position::in_block(last, 63).place(), Place::Block(last, 63));
    }

    proptest! {
        #[test]
        fn places_round_trip(index in 0usize..1 << 29, block in 0..BlockNumber::LIMIT, slot in 0usize..1 << 6) {
            let heap = Position::in_heap(index);
            prop_assert_eq!(heap.place(), Place::Heap(index));
            let run = Position::in_run(index);
            prop_assert_eq!(run.place(), Place::Run(index));
            prop_assert!(run.is_filed() && !run.is_dying());
            prop_assert_eq!(Position::dying(index).place(), Place::Dying(index));
            let number = BlockNumber::from_index(block);
            prop_assert_eq!(number.index(), block);
            let filed = Position::in_block(number, slot);
            prop_assert_eq!(filed.place(), Place::Block(number, slot));
            prop_assert!(heap.is_filed() && filed.is_filed());
            prop_assert!(Position::dying(index).is_dying() && !heap.is_dying() && !filed.is_dying());
            prop_assert_eq!(Position::from_bits(filed.to_bits()), filed);
            let asked = Position::asked(index as u32);
            prop_assert_eq!(asked.place(), Place::Nowhere);
            prop_assert!(!asked.is_filed() && !asked.is_dying());
        }
    }
}
