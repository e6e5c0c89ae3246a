use super::blocks::{Block, Blocks};
use super::level::Level;
use super::position::BlockNumber;
use super::tick::{Bucket, Tick};
use super::{Entries, Position};
use crate::index::EntryIndex;

/// A hierarchical timing wheel: five levels of 256 buckets, which together reach to the end of time.
///
/// ```text
///             cursor's digit
///                   v
///  level 1  [ . . . . x . x x . . ]      1.1 s each, for what differs from the cursor in digit 1 but not above
///  level 0  [ . . x x . x . . . . ]      4.2 ms each, for what differs in digit 0 only
///                 |
///                 +-- last block --> block --> first block     61 entries each
/// ```
///
/// **W1.** An entry filed under a tick stands in `Bucket::of(tick, cursor)`, so occupied buckets are after the cursor's
/// digit, those of a lower level are earlier than those of a higher one, and the earliest is the first occupied one
/// of the lowest occupied level.
///
/// **W2.** The one exception is the *open* bucket: the cursor stands within its ticks while it is emptied. It is the
/// earliest, and nothing is filed in it any more.
///
/// **W3.** The cursor moves only where both hold again: into the earliest bucket, which opens it, or to a tick from
/// which the earliest bucket looks as before.
pub(super) struct Wheel {
    cursor: Tick,
    open: Option<Bucket>,
    /// One bit for each level that has an occupied bucket.
    occupied: u8,
    levels: [Option<Box<Level>>; Bucket::LEVELS],
    blocks: Blocks,
    len: usize,
}

/// How many entries ahead of the one being looked at are brought into the cache.
const FEW: usize = 4;
const PREFETCH: usize = 12;

impl Wheel {
    pub(super) const fn new() -> Self {
        Self {
            cursor: Tick::of(flow_table_api::Timestamp::ZERO),
            open: None,
            occupied: 0,
            levels: [const { None }; Bucket::LEVELS],
            blocks: Blocks::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Files an entry under `tick`; `false` if the tick is not after the cursor.
    #[inline]
    pub(super) fn file(&mut self, entry: EntryIndex, tick: Tick, entries: &mut impl Entries) -> bool {
        let Some(bucket) = Bucket::of(tick, self.cursor) else { return false };
        let level = self.levels[bucket.level()].get_or_insert_with(Level::new);
        let tail = match level.tail(bucket.digit()) {
            Some(tail) if !self.blocks[tail].is_full() => tail,
            full_or_none => {
                let tail = self.blocks.allocate(bucket, full_or_none);
                level.set_tail(bucket.digit(), Some(tail));
                self.occupied |= 1 << bucket.level();
                tail
            }
        };
        let slot = self.blocks[tail].push(entry);
        self.len += 1;
        entries.set_position(entry, Position::in_block(tail, slot));
        true
    }

    /// The bucket to empty next.
    #[inline]
    fn first(&self) -> Option<Bucket> {
        self.open.or_else(|| {
            let level = self.occupied.trailing_zeros() as usize;
            Some(Bucket::new(level, self.levels.get(level)?.as_ref()?.first()?))
        })
    }

    /// No entry is filed under an earlier tick.
    #[inline]
    pub(super) fn first_tick(&self) -> Option<Tick> {
        Some(self.first()?.first_tick(self.cursor))
    }

    /// Moves the cursor to `tick`, either way, if that opens no bucket and leaves every entry where it belongs (W3).
    #[inline]
    pub(super) fn move_to(&mut self, tick: Tick) {
        if tick == self.cursor {
            return;
        }
        let Some(first) = self.first() else {
            self.cursor = tick;
            return;
        };
        if self.open.is_none() && Bucket::of(first.first_tick(self.cursor), tick) == Some(first) {
            self.cursor = tick;
        }
    }

    /// Takes an entry out whose bucket has begun by `tick`: perhaps due, perhaps to be filed anew. Its position is left as
    /// it was: the caller sets it.
    #[inline]
    pub(super) fn take(&mut self, tick: Tick, entries: &mut impl Entries) -> Option<EntryIndex> {
        if self.open.is_none() && tick != self.cursor {
            self.open_bucket(tick, entries);
        }
        let bucket = self.open.filter(|open| open.first_tick(self.cursor) <= tick)?;
        let tail = self.tail(bucket)?;
        let last = self.blocks[tail].pop()?;
        let left = self.blocks[tail].entries().len();
        self.prefetch(tail, left.wrapping_sub(PREFETCH), entries);
        self.shorten(tail, left, entries);
        Some(last)
    }

    /// Opens the earliest bucket if it has begun by `tick`, and moves the cursor as far as it may.
    fn open_bucket(&mut self, tick: Tick, entries: &impl Entries) {
        let begun = self.first().filter(|first| first.first_tick(self.cursor) <= tick);
        let Some(bucket) = begun else { return self.move_to(tick) };
        let last = bucket.last_tick(self.cursor);
        let few = bucket.level() <= 1 && self.few(bucket);
        self.cursor = if few { last } else { last.min(tick) };
        self.open = Some(bucket);
        if let Some(tail) = self.tail(bucket) {
            let len = self.blocks[tail].entries().len();
            (1..=PREFETCH).for_each(|ahead| self.prefetch(tail, len.wrapping_sub(ahead), entries));
        }
    }

    fn few(&self, bucket: Bucket) -> bool {
        let mut n = self.tail(bucket);
        for _ in 0..FEW {
            n = n.and_then(|n| self.blocks[n].prev);
        }
        n.is_none()
    }

    /// Prefetches the entry in `slot`; one below zero is in the block before.
    #[inline]
    fn prefetch(&self, tail: BlockNumber, slot: usize, entries: &impl Entries) {
        let block = &self.blocks[tail];
        let ahead = match block.entries().get(slot) {
            Some(ahead) => Some(ahead),
            None => {
                block.prev.and_then(|prev| self.blocks[prev].entries().get(slot.wrapping_add(Block::CAPACITY)))
            }
        };
        if let Some(&ahead) = ahead {
            entries.prefetch(ahead);
        }
    }

    /// Takes the entry in a slot out, as [`take`](Self::take) does: the last one of the bucket fills the gap.
    pub(super) fn remove(&mut self, block: BlockNumber, slot: usize, entries: &mut impl Entries) {
        let Some(tail) = self.tail(self.blocks[block].bucket) else { return };
        let Some(last) = self.blocks[tail].pop() else { return };
        let left = self.blocks[tail].entries().len();
        if (block, slot) != (tail, left) {
            self.blocks[block].replace(slot, last);
            entries.set_position(last, Position::in_block(block, slot));
        }
        self.shorten(tail, left, entries);
    }

    /// After the last block of a chain lost an entry.
    #[inline]
    fn shorten(&mut self, tail: BlockNumber, left: usize, entries: &mut impl Entries) {
        self.len -= 1;
        if left == 0 {
            self.free_last(tail, entries);
        }
    }

    #[inline(never)]
    fn free_last(&mut self, tail: BlockNumber, entries: &mut impl Entries) {
        let bucket = self.blocks[tail].bucket;
        let prev = self.blocks.free_last(tail);
        self.set_tail(bucket, prev);
        if prev.is_none() {
            if self.levels[bucket.level()].as_ref().is_none_or(|level| level.is_empty()) {
                self.occupied &= !(1 << bucket.level());
            }
            self.open = self.open.filter(|open| *open != bucket);
        }
        // Two steps for each block freed keep pace: one segment goes for every half segment of blocks freed, and at
        // most half of its blocks are in use.
        for _ in 0..2 {
            if self.blocks.is_wasteful() {
                self.shrink_step(entries);
            }
        }
    }

    fn tail(&self, bucket: Bucket) -> Option<BlockNumber> {
        self.levels[bucket.level()].as_ref()?.tail(bucket.digit())
    }

    fn set_tail(&mut self, bucket: Bucket, tail: Option<BlockNumber>) {
        if let Some(level) = &mut self.levels[bucket.level()] {
            level.set_tail(bucket.digit(), tail);
        }
    }

    fn shrink_step(&mut self, entries: &mut impl Entries) {
        let Some(moved) = self.blocks.shrink_step() else { return };
        let block = &self.blocks[moved];
        block.entries().iter().for_each(|entry| entries.prefetch(*entry));
        for (slot, entry) in block.entries().iter().enumerate() {
            entries.set_position(*entry, Position::in_block(moved, slot));
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
        self.blocks.trim();
        for level in &mut self.levels {
            level.take_if(|level| level.is_empty());
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.blocks.memory() + self.levels.iter().flatten().count() * size_of::<Level>()
    }

    /// Every entry with the start of its bucket, after checking W1, W2, the chains and the positions.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, flow_table_api::Timestamp)> {
        let (mut filed, mut blocks) = (Vec::new(), 0);
        for level in 0..Bucket::LEVELS {
            let buckets = (0..Bucket::PER_LEVEL).map(|digit| Bucket::new(level, digit));
            let occupied: Vec<Bucket> = buckets.filter(|bucket| self.tail(*bucket).is_some()).collect();
            assert_eq!(self.occupied >> level & 1 == 1, !occupied.is_empty());
            assert_eq!(
                self.levels[level].as_ref().and_then(|level| level.first()),
                occupied.first().map(|b| b.digit())
            );
            for bucket in occupied {
                let start = bucket.first_tick(self.cursor);
                if self.open == Some(bucket) {
                    assert!(start <= self.cursor && self.cursor <= bucket.last_tick(self.cursor), "W2");
                } else {
                    assert_eq!(Bucket::of(start, self.cursor), Some(bucket), "W1");
                }
                let (mut next, mut number) = (None, self.tail(bucket));
                while let Some(current) = number {
                    let block = &self.blocks[current];
                    assert_eq!((block.bucket, block.next), (bucket, next));
                    assert!(!block.entries().is_empty() && (next.is_none() || block.is_full()));
                    for (slot, entry) in block.entries().iter().enumerate() {
                        assert_eq!(entries.position(*entry), Position::in_block(current, slot));
                        filed.push((*entry, start.start()));
                    }
                    blocks += 1;
                    (next, number) = (number, block.prev);
                }
            }
        }
        assert!(self.open.is_none_or(|open| self.tail(open).is_some()), "an open bucket is not empty");
        assert_eq!((filed.len(), blocks), (self.len, self.blocks.used()));
        filed
    }
}
