use std::ops::{Index, IndexMut};

use super::position::BlockNumber;
use super::tick::Bucket;
use crate::ids::EntryIndex;
use crate::memory::{AllocError, Mapped, shrink_to, try_reserve};

/// Four cache lines of a bucket's entries. The blocks of a bucket form a chain; all but the last are full.
///
/// ```text
///   0      4      8        10    12                             256
/// +------+------+--------+-----+-------------------------------+
/// | prev | next | bucket | len | entries: 61 indices of 4 bytes |
/// +------+------+--------+-----+-------------------------------+
/// ```
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Block {
    pub(super) prev: Option<BlockNumber>,
    pub(super) next: Option<BlockNumber>,
    pub(super) bucket: Bucket,
    len: u16,
    entries: [EntryIndex; Block::CAPACITY],
}

impl Block {
    pub(super) const CAPACITY: usize = 61;
    const EMPTY: Self = Self {
        prev: None,
        next: None,
        bucket: Bucket::new(0, 0),
        len: 0,
        entries: [EntryIndex::new(0, 1, false); Self::CAPACITY],
    };

    #[inline]
    pub(super) fn entries(&self) -> &[EntryIndex] {
        &self.entries[..usize::from(self.len).min(Self::CAPACITY)]
    }

    #[cfg(test)]
    pub(super) fn is_full(&self) -> bool {
        usize::from(self.len) == Self::CAPACITY
    }

    /// Appends `entry`, and returns its slot, or `None` if the block is full.
    #[inline]
    pub(super) fn push(&mut self, entry: EntryIndex) -> Option<usize> {
        let slot = usize::from(self.len);
        *self.entries.get_mut(slot)? = entry;
        self.len += 1;
        Some(slot)
    }

    /// The entry so many before the end: the last one is one before it.
    #[inline]
    pub(super) fn before_end(&self, number: usize) -> Option<&EntryIndex> {
        self.entries.get(usize::from(self.len).checked_sub(number)?)
    }

    /// Takes the last entry out, and returns its slot beside it.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(EntryIndex, usize)> {
        let slot = self.len.checked_sub(1)?;
        let last = *self.entries.get(usize::from(slot))?;
        self.len = slot;
        Some((last, usize::from(slot)))
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline]
    pub(super) fn replace(&mut self, slot: usize, entry: EntryIndex) {
        debug_assert!(slot < usize::from(self.len));
        self.entries[slot] = entry;
    }
}

/// The source of blocks: segments that never move, so that growth copies nothing and leaves no slack.
///
/// Blocks are handed out lowest first. When most are free, those of the last segment can be moved down one by
/// one, and the segment given back.
#[derive(Default)]
pub(super) struct Blocks {
    segments: Vec<Segment>,
    used: usize,
    /// So many segments are not given back.
    keep: usize,
    /// No segment before this one has a free block.
    search_from: usize,
}

struct Segment {
    blocks: Mapped<[Block; SEGMENT]>,
    /// One bit for each free block.
    free: u64,
}

/// Blocks of a segment: 16 KiB of memory, which the system gets back with it.
const SEGMENT: usize = 64;

/// Segments whose blocks all have a number.
const NUMBERED: usize = BlockNumber::LIMIT / SEGMENT;

/// The most segments that there can be. Tests have no memory for so many.
const MOST: usize = if cfg!(test) { 128 } else { NUMBERED };

impl Blocks {
    pub(super) const fn new() -> Self {
        Self { segments: Vec::new(), used: 0, keep: 0, search_from: 0 }
    }

    /// Makes so many blocks ready, or as many as there can be, and keeps their memory. There are no blocks yet.
    pub(super) fn keep(&mut self, blocks: usize) -> Result<(), AllocError> {
        for _ in 0..blocks.div_ceil(SEGMENT).min(MOST) {
            self.grow()?;
            self.keep += 1;
        }
        Ok(())
    }

    /// Returns `true` if some are kept.
    pub(super) const fn are_kept(&self) -> bool {
        self.keep != 0
    }

    /// An empty block at the end of the chain of `bucket`, after `prev`.
    pub(super) fn allocate(
        &mut self,
        bucket: Bucket,
        prev: Option<BlockNumber>,
    ) -> Result<BlockNumber, AllocError> {
        let number = self.take_free()?;
        let block = &mut self[number];
        (block.prev, block.next, block.bucket, block.len) = (prev, None, bucket, 0);
        if let Some(prev) = prev {
            self[prev].next = Some(number);
        }
        Ok(number)
    }

    /// Starts loading a block: all of its four lines.
    pub(super) fn prefetch(&self, number: BlockNumber) {
        self[number].entries.iter().step_by(16).for_each(|entry| crate::prefetch::read(entry));
    }

    fn take_free(&mut self) -> Result<BlockNumber, AllocError> {
        let free = self.segments[self.search_from..].iter().position(|segment| segment.free != 0);
        self.search_from = match free {
            Some(skipped) => self.search_from + skipped,
            None => self.grow()?,
        };
        let segment = &mut self.segments[self.search_from];
        let block = segment.free.trailing_zeros() as usize;
        segment.free &= segment.free - 1;
        self.used += 1;
        Ok(BlockNumber::from_index(self.search_from * SEGMENT + block))
    }

    /// Adds a segment, and returns its number.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<usize, AllocError> {
        let number = self.segments.len();
        if number == MOST {
            return Err(AllocError);
        }
        try_reserve(&mut self.segments, 1)?;
        self.segments.push(Segment { blocks: Mapped::new([Block::EMPTY; SEGMENT])?, free: u64::MAX });
        Ok(number)
    }

    /// Frees the last block of a chain. Returns the one before it, which is now the last.
    pub(super) fn free_last(&mut self, number: BlockNumber) -> Option<BlockNumber> {
        debug_assert!(self[number].next.is_none() && self[number].len == 0);
        let prev = self[number].prev;
        if let Some(prev) = prev {
            self[prev].next = None;
        }
        self.free(number);
        prev
    }

    fn free(&mut self, number: BlockNumber) {
        let (segment, block) = (number.index() / SEGMENT, number.index() % SEGMENT);
        debug_assert_eq!(self.segments[segment].free >> block & 1, 0, "freed twice");
        self.segments[segment].free |= 1 << block;
        self.search_from = self.search_from.min(segment);
        self.used -= 1;
    }

    /// Returns `true` if more than half of the blocks are free, not counting two segments, and there are more than
    /// are kept.
    #[inline]
    pub(super) fn is_wasteful(&self) -> bool {
        self.segments.len() * SEGMENT > 2 * self.used + 2 * SEGMENT && self.segments.len() > self.keep
    }

    /// Returns `true` if the blocks in use would fit into fewer segments, and not all of them are kept.
    pub(super) fn can_shrink(&self) -> bool {
        self.used <= self.segments.len().saturating_sub(1) * SEGMENT && self.segments.len() > self.keep
    }

    /// Takes one step towards fewer segments, if [`can_shrink`](Self::can_shrink). It gives the last segment
    /// back if that is free. Otherwise it moves one of the segment's blocks down and returns the block's new
    /// number. The caller then updates the positions of the entries in it, and its bucket if it is the last of
    /// the chain.
    pub(super) fn shrink_step(&mut self) -> Option<BlockNumber> {
        debug_assert!(self.can_shrink());
        let last = self.segments.len() - 1;
        let free = self.segments[last].free;
        if free == u64::MAX {
            self.segments.pop();
            self.search_from = self.search_from.min(last);
            if self.segments.capacity() > 64 + 4 * last {
                shrink_to(&mut self.segments, 2 * last);
            }
            return None;
        }
        let from = BlockNumber::from_index(last * SEGMENT + (!free).trailing_zeros() as usize);
        let to = self.take_free().expect("one before the last segment is free");
        debug_assert!(to.index() / SEGMENT < last);
        let block = self[from];
        self[to] = block;
        if let Some(prev) = block.prev {
            self[prev].next = Some(to);
        }
        if let Some(next) = block.next {
            self[next].prev = Some(to);
        }
        self.free(from);
        Some(to)
    }

    /// Gives unused memory of the list of segments back.
    pub(super) fn trim(&mut self) {
        shrink_to(&mut self.segments, 0);
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.segments.len() * SEGMENT * size_of::<Block>() + self.segments.capacity() * size_of::<Segment>()
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        let free: u32 = self.segments.iter().map(|segment| segment.free.count_ones()).sum();
        assert_eq!(self.segments.len() * SEGMENT - free as usize, self.used);
        assert!(self.segments.iter().take(self.search_from).all(|segment| segment.free == 0));
        self.used
    }
}

impl Index<BlockNumber> for Blocks {
    type Output = Block;

    #[inline]
    fn index(&self, number: BlockNumber) -> &Block {
        &self.segments[number.index() / SEGMENT].blocks[number.index() % SEGMENT]
    }
}

impl IndexMut<BlockNumber> for Blocks {
    #[inline]
    fn index_mut(&mut self, number: BlockNumber) -> &mut Block {
        &mut self.segments[number.index() / SEGMENT].blocks[number.index() % SEGMENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full segments of blocks, each block the only one of its chain.
    fn full(segments: usize) -> Blocks {
        let mut blocks = Blocks::new();
        for _ in 0..segments * SEGMENT {
            blocks.allocate(Bucket::default(), None).expect("there is memory");
        }
        assert_eq!((blocks.used(), blocks.segments.len()), (segments * SEGMENT, segments));
        blocks
    }

    #[test]
    fn there_are_as_many_blocks_as_numbers() {
        assert!((NUMBERED * SEGMENT..(NUMBERED + 1) * SEGMENT).contains(&BlockNumber::LIMIT));
        let mut blocks = full(MOST);
        assert!(blocks.allocate(Bucket::default(), None).is_err());
        let last = BlockNumber::from_index(MOST * SEGMENT - 1);
        blocks.free_last(last);
        assert!(blocks.allocate(Bucket::default(), None) == Ok(last));
    }

    #[test]
    fn blocks_are_wasted_when_more_than_half_are_free_two_segments_aside() {
        let mut blocks = full(10);
        for free in 1..=10 * SEGMENT {
            blocks.free_last(BlockNumber::from_index(free - 1));
            let used = 10 * SEGMENT - free;
            assert_eq!(blocks.used(), used);
            assert_eq!(blocks.is_wasteful(), free > used + 2 * SEGMENT, "{free} free");
            assert_eq!(blocks.can_shrink(), free >= SEGMENT, "{free} free");
        }
    }

    #[test]
    fn the_list_of_segments_keeps_room_for_twice_as_many_once_three_quarters_are_unused() {
        let mut blocks = full(MOST);
        (0..MOST * SEGMENT).for_each(|index| _ = blocks.free_last(BlockNumber::from_index(index)));
        for left in (0..MOST).rev() {
            let before = blocks.segments.capacity();
            assert_eq!(blocks.shrink_step(), None);
            let after = if before > 64 + 4 * left { 2 * left } else { before };
            assert_eq!((blocks.segments.len(), blocks.segments.capacity()), (left, after));
            let list = after * size_of::<Segment>();
            assert_eq!(blocks.memory(), left * (16 << 10) + list);
        }
    }
}
