use super::blocks::{Block, Blocks};
use super::level::Level;
use super::position::BlockNumber;
use super::tick::{Bucket, Tick};
use super::{Entries, Position};
use crate::ids::EntryIndex;
use crate::memory::AllocError;

/// The entries of all buckets. It knows no time.
pub(super) struct Buckets {
    /// One bit for each level that has an occupied bucket.
    occupied: u8,
    levels: [Option<Box<Level>>; Bucket::LEVELS],
    blocks: Blocks,
}

/// An entry is loaded into the cache when it is so many entries away from being taken out.
pub(super) const PREFETCH: usize = 12;

impl Buckets {
    pub(super) const fn new() -> Self {
        Self { occupied: 0, levels: [const { None }; Bucket::LEVELS], blocks: Blocks::new() }
    }

    /// Makes memory ready for so many entries, in whatever buckets, and keeps it. There are none yet.
    pub(super) fn keep(&mut self, entries: usize) -> Result<(), AllocError> {
        for level in &mut self.levels {
            *level = Some(Level::new()?);
        }
        // The last block of each bucket may have a single entry. More than these buckets are not in use at a time,
        // unless timeouts are of all lengths up to years.
        const BUCKETS: usize = 2 * Bucket::PER_LEVEL + 64;
        self.blocks.keep(entries / Block::CAPACITY + entries.min(BUCKETS))
    }

    /// Adds an entry to a bucket, and returns its position, which the caller stores.
    #[inline]
    pub(super) fn push(&mut self, bucket: Bucket, entry: EntryIndex) -> Result<Position, AllocError> {
        if let Some(tail) = self.tail(bucket)
            && let Some(slot) = self.blocks[tail].push(entry)
        {
            return Ok(Position::in_block(tail, slot));
        }
        self.push_slow(bucket, entry)
    }

    /// As [`push`](Self::push), where the last block is full or there is none.
    #[cold]
    #[inline(never)]
    fn push_slow(&mut self, bucket: Bucket, entry: EntryIndex) -> Result<Position, AllocError> {
        let level = match &mut self.levels[bucket.level()] {
            Some(level) => level,
            none => none.insert(Level::new()?),
        };
        let tail = self.blocks.allocate(bucket, level.tail(bucket.digit()))?;
        level.set_tail(bucket.digit(), Some(tail));
        self.occupied |= 1 << bucket.level();
        let slot = self.blocks[tail].push(entry).expect("a new block is empty");
        Ok(Position::in_block(tail, slot))
    }

    /// Takes the last entry of a bucket out. Returns `true` beside it if the bucket is empty now. The entry's
    /// position is left as it was; the caller sets it.
    #[inline(always)]
    pub(super) fn pop(&mut self, bucket: Bucket, entries: &mut impl Entries) -> Option<(EntryIndex, bool)> {
        let tail = self.tail(bucket)?;
        let block = &mut self.blocks[tail];
        let (last, left) = block.pop()?;
        if let Some(&ahead) = block.before_end(PREFETCH) {
            entries.prefetch(ahead);
        } else if let Some(prev) = block.prev {
            let missing = PREFETCH - left;
            entries.prefetch(self.blocks[prev].entries()[Block::CAPACITY - missing]);
        }
        Some((last, left == 0 && self.free_last(tail, entries)))
    }

    /// Takes the last block of a bucket out with its entries, whose positions are left as they were; the caller
    /// sets them. Returns `true` beside it if the bucket is empty now.
    pub(super) fn take_block(&mut self, bucket: Bucket, entries: &mut impl Entries) -> Option<(Block, bool)> {
        let tail = self.tail(bucket)?;
        let block = self.blocks[tail];
        self.blocks[tail].clear();
        let emptied = self.free_last(tail, entries);
        self.prefetch(bucket, entries);
        Some((block, emptied))
    }

    /// Starts loading the block that [`prefetch`](Self::prefetch) reads.
    pub(super) fn prefetch_tail(&self, bucket: Bucket) {
        if let Some(tail) = self.tail(bucket) {
            self.blocks.prefetch(tail);
        }
    }

    /// Starts loading what the first [`pop`](Self::pop)s of a bucket read.
    pub(super) fn prefetch(&self, bucket: Bucket, entries: &impl Entries) {
        if let Some(tail) = self.tail(bucket) {
            let last = self.blocks[tail].entries().iter().rev().take(PREFETCH);
            last.for_each(|entry| entries.prefetch(*entry));
        }
    }

    /// Takes the entry in a slot out, as [`pop`](Self::pop) does. The last entry of the bucket fills the gap.
    /// Returns the bucket if it is empty now.
    #[inline(always)]
    pub(super) fn remove(
        &mut self,
        block: BlockNumber,
        slot: usize,
        entries: &mut impl Entries,
    ) -> Option<Bucket> {
        let bucket = self.blocks[block].bucket;
        let tail = self.tail(bucket)?;
        let (last, left) = self.blocks[tail].pop()?;
        if (block, slot) != (tail, left) {
            self.blocks[block].replace(slot, last);
            entries.place(last, Position::in_block(block, slot));
        }
        (left == 0 && self.free_last(tail, entries)).then_some(bucket)
    }

    /// Files another entry in a slot that is taken.
    pub(super) fn rename(&mut self, block: BlockNumber, slot: usize, entry: EntryIndex) {
        self.blocks[block].replace(slot, entry);
    }

    pub(super) fn bucket_of(&self, block: BlockNumber) -> Bucket {
        self.blocks[block].bucket
    }

    /// Frees the last block of a chain, which is empty. Returns `true` if the bucket is empty now.
    #[inline(never)]
    fn free_last(&mut self, tail: BlockNumber, entries: &mut impl Entries) -> bool {
        let bucket = self.blocks[tail].bucket;
        let prev = self.blocks.free_last(tail);
        self.set_tail(bucket, prev);
        if prev.is_none() && self.levels[bucket.level()].as_ref().is_none_or(|level| level.is_empty()) {
            self.occupied &= !(1 << bucket.level());
        }
        // Two steps for each block freed are enough: one segment goes for every half segment of blocks freed,
        // and at most half of its blocks are in use.
        for _ in 0..2 {
            if self.blocks.is_wasteful() {
                self.shrink_step(entries);
            }
        }
        prev.is_none()
    }

    /// The last block of a bucket's chain; `None` if the bucket is empty.
    #[inline]
    fn tail(&self, bucket: Bucket) -> Option<BlockNumber> {
        self.levels[bucket.level()].as_ref()?.tail(bucket.digit())
    }

    fn set_tail(&mut self, bucket: Bucket, tail: Option<BlockNumber>) {
        if let Some(level) = &mut self.levels[bucket.level()] {
            level.set_tail(bucket.digit(), tail);
        }
    }

    /// The number of entries in a bucket, if it has at most this many blocks.
    pub(super) fn len_within(&self, blocks: usize, bucket: Bucket) -> Option<usize> {
        let chain = std::iter::successors(self.tail(bucket), |block| self.blocks[*block].prev);
        let mut lengths = chain.map(|block| self.blocks[block].entries().len());
        let len = lengths.by_ref().take(blocks).sum();
        lengths.next().is_none().then_some(len)
    }

    /// For each occupied level, the bucket that comes first, seen from `cursor`.
    pub(super) fn firsts(&self, cursor: Tick) -> impl Iterator<Item = Bucket> {
        self.occupied_levels().filter_map(move |(number, level)| {
            Some(Bucket::new(number, level.first_from(Bucket::at(number, cursor).digit())?))
        })
    }

    /// As [`firsts`](Self::firsts), but the bucket that comes last.
    pub(super) fn lasts(&self, cursor: Tick) -> impl Iterator<Item = Bucket> {
        self.occupied_levels().filter_map(move |(number, level)| {
            Some(Bucket::new(number, level.last_before(Bucket::at(number, cursor).digit())?))
        })
    }

    fn occupied_levels(&self) -> impl Iterator<Item = (usize, &Level)> {
        let levels = self.levels.iter().enumerate().filter(|(number, _)| self.occupied >> number & 1 == 1);
        levels.filter_map(|(number, level)| Some((number, level.as_deref()?)))
    }

    fn shrink_step(&mut self, entries: &mut impl Entries) {
        let Some(moved) = self.blocks.shrink_step() else { return };
        let block = &self.blocks[moved];
        block.entries().iter().for_each(|entry| entries.prefetch(*entry));
        for (slot, entry) in block.entries().iter().enumerate() {
            entries.place(*entry, Position::in_block(moved, slot));
        }
        if block.next.is_none() {
            self.set_tail(block.bucket, Some(moved));
        }
    }

    /// Gives all memory back that is not needed.
    pub(super) fn shrink(&mut self, entries: &mut impl Entries) {
        while self.blocks.can_shrink() {
            self.shrink_step(entries);
        }
        if self.blocks.are_kept() {
            return;
        }
        self.blocks.trim();
        for level in &mut self.levels {
            level.take_if(|level| level.is_empty());
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.blocks.memory() + self.levels.iter().flatten().count() * size_of::<Level>()
    }

    /// Every entry with its bucket, after checking chains, positions and counts.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, Bucket)> {
        let (mut filed, mut blocks) = (Vec::new(), 0);
        for level in 0..Bucket::LEVELS {
            let buckets = (0..Bucket::PER_LEVEL).map(|digit| Bucket::new(level, digit));
            let occupied: Vec<Bucket> = buckets.filter(|bucket| self.tail(*bucket).is_some()).collect();
            assert_eq!(self.occupied >> level & 1 == 1, !occupied.is_empty());
            for bucket in occupied {
                let (mut next, mut number) = (None, self.tail(bucket));
                while let Some(current) = number {
                    let block = &self.blocks[current];
                    assert_eq!((block.bucket, block.next), (bucket, next));
                    assert!(!block.entries().is_empty() && (next.is_none() || block.is_full()));
                    for (slot, entry) in block.entries().iter().enumerate() {
                        assert_eq!(entries.position(entries.find(*entry)), Position::in_block(current, slot));
                        filed.push((*entry, bucket));
                    }
                    blocks += 1;
                    (next, number) = (number, block.prev);
                }
            }
        }
        assert_eq!(blocks, self.blocks.used());
        filed
    }
}
