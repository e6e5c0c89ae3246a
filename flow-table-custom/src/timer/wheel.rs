use super::blocks::Block;
use super::buckets::Buckets;
use super::position::BlockNumber;
use super::tick::{Bucket, Tick};
use super::{Entries, Position};
use crate::ids::EntryIndex;
use crate::memory::AllocError;

/// A hierarchical timing wheel: five levels of 256 buckets, which together reach to the end of time.
///
/// ```text
///               cursor
///                 v
///  level 1  [ x . o . . x . x x . ]      2.1 s each; goes round: 255 of them ahead of the cursor
///  level 0  [ . . o x x . x . . . ]      8.4 ms each
///                   |
///                   +-- last block --> block --> first block     61 entries each
/// ```
///
/// **W1.** An occupied bucket stands for the ticks from `first_tick(cursor)` on: the cursor has not passed its
/// end, and it begins at most 255 steps of its level after the cursor's.
///
/// **W2.** `first` is the bucket that begins earliest. The cursor is not beyond that, except that it stands
/// within the bucket once it is *open*, that is, being emptied. Nothing is filed in an open bucket.
///
/// **W3.** Entries that belong at or before the horizon are not the wheel's, but the heap's.
pub(super) struct Wheel {
    cursor: Tick,
    /// At or after the cursor.
    horizon: Tick,
    /// [`First::NONE`] if the wheel is empty.
    first: First,
    buckets: Buckets,
}

/// The bucket to be emptied next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    begins: Tick,
    bucket: Bucket,
    open: bool,
}

impl First {
    /// None: it begins later than all ticks.
    const NONE: Self = Self { begins: Tick::NEVER, bucket: Bucket::new(0, 0), open: false };

    const fn is_there(self) -> bool {
        self.begins.is_a_time()
    }

    pub(super) const fn begins(self) -> Tick {
        self.begins
    }

    #[inline]
    pub(super) const fn is_open(self) -> bool {
        self.open
    }
}

/// A bucket of level 1 with at most so many blocks goes to the heap as a whole. Spread over buckets of level 0,
/// each with a block of its own, it would cost more time and memory. Tests have too few entries for more than
/// one block.
const SMALL: usize = if cfg!(test) { 1 } else { 8 };

impl Wheel {
    pub(super) const fn new() -> Self {
        let zero = Tick::of(flow_table_api::Timestamp::ZERO);
        Self { cursor: zero, horizon: zero, first: First::NONE, buckets: Buckets::new() }
    }

    /// As [`Buckets::keep`].
    pub(super) fn keep(&mut self, entries: usize) -> Result<(), AllocError> {
        self.buckets.keep(entries)
    }

    /// Files an entry under `tick`, and returns its position, which the caller stores. Returns `None` if the tick
    /// is not after the horizon.
    #[inline(always)]
    pub(super) fn file(&mut self, entry: EntryIndex, tick: Tick) -> Result<Option<Position>, AllocError> {
        if tick <= self.horizon {
            return Ok(None);
        }
        let Some(bucket) = Bucket::of(tick, self.cursor) else { return Ok(None) };
        let position = self.buckets.push(bucket, entry)?;
        let begins = tick.floor(bucket.level());
        if begins < self.first.begins {
            self.first = First { begins, bucket, open: false };
        }
        Ok(Some(position))
    }

    /// No entry is filed under an earlier tick.
    #[inline]
    pub(super) fn first_tick(&self) -> Option<Tick> {
        self.first.is_there().then_some(self.first.begins)
    }

    /// The bucket from which entries are to be taken, if it has begun by `tick`.
    #[inline(always)]
    pub(super) fn begun(&mut self, tick: Tick) -> Option<First> {
        if self.first.begins <= tick {
            return Some(self.first);
        }
        self.move_to(tick);
        None
    }

    /// Takes out an entry of the bucket that [`begun`](Self::begun) has returned for `tick`. It may be due, or
    /// have to be filed again. Its position is left as it was; the caller sets it.
    #[inline(always)]
    pub(super) fn take(&mut self, first: First, tick: Tick, entries: &mut impl Entries) -> Option<EntryIndex> {
        if !first.open {
            self.open(first, tick, entries);
        }
        let (entry, emptied) = self.buckets.pop(first.bucket, entries)?;
        if emptied {
            self.find_first();
        }
        Some(entry)
    }

    /// The number of entries of a bucket that is not open yet, if they go to the heap as a whole and may be put in
    /// order at once. If all of them are late at `tick`, there is no need to.
    pub(super) fn len_to_order(&self, first: First, tick: Tick) -> Option<usize> {
        let First { begins, bucket, open } = first;
        let is_late = bucket.last_tick(begins) < tick;
        if open || is_late || bucket.level() != 1 { None } else { self.buckets.len_within(SMALL, bucket) }
    }

    /// Takes out a block of the bucket that [`begun`](Self::begun) has returned, as [`take`](Self::take) does.
    pub(super) fn take_block(&mut self, first: First, entries: &mut impl Entries) -> Option<Block> {
        let (block, emptied) = self.buckets.take_block(first.bucket, entries)?;
        if emptied {
            self.find_first();
        }
        Some(block)
    }

    #[inline(never)]
    pub(super) fn open(&mut self, first: First, tick: Tick, entries: &impl Entries) {
        let First { begins, bucket, .. } = first;
        self.first = First { open: true, ..first };
        // The cursor moves as far as the bucket, the time and the other levels allow, for entries that will be
        // filed again.
        let others = self.buckets.firsts(self.cursor).filter(|other| other.level() != bucket.level());
        let others = others.map(|other| other.first_tick(self.cursor));
        self.cursor = others.fold(tick.min(bucket.last_tick(begins)), Tick::min);
        self.horizon = self.horizon.max(self.cursor);
        if bucket.level() == 1 && self.buckets.len_within(SMALL, bucket).is_some() {
            self.horizon = self.horizon.max(bucket.last_tick(begins));
        }
        self.buckets.prefetch(bucket, entries);
    }

    #[inline(never)]
    fn find_first(&mut self) {
        let firsts = self.buckets.firsts(self.cursor);
        let firsts = firsts.map(|bucket| First { begins: bucket.first_tick(self.cursor), bucket, open: false });
        let earlier = |first: First, second: First| if second.begins < first.begins { second } else { first };
        self.first = firsts.fold(First::NONE, earlier);
        if self.first.is_there() {
            self.buckets.prefetch_tail(self.first.bucket);
        }
    }

    /// Takes the entry in a slot out, as [`take`](Self::take) does.
    #[inline(always)]
    pub(super) fn remove(&mut self, block: BlockNumber, slot: usize, entries: &mut impl Entries) {
        let emptied = self.buckets.remove(block, slot, entries);
        if emptied == Some(self.first.bucket) {
            self.find_first();
        }
    }

    /// Files another entry in a slot that is taken.
    pub(super) fn rename(&mut self, block: BlockNumber, slot: usize, entry: EntryIndex) {
        self.buckets.rename(block, slot, entry);
    }

    /// Moves the cursor to `tick`, by which no bucket begins. It may move either way, but it moves back only if
    /// every entry then still is where it belongs.
    #[inline]
    fn move_to(&mut self, tick: Tick) {
        if self.cursor < tick {
            self.cursor = tick;
            self.horizon = self.horizon.max(tick);
        } else if tick < self.cursor {
            self.move_back(tick);
        }
    }

    #[cold]
    #[inline(never)]
    fn move_back(&mut self, tick: Tick) {
        let stays = |bucket: Bucket| bucket.first_tick(self.cursor) == bucket.first_tick(tick);
        if !self.first.open && self.buckets.lasts(self.cursor).all(stays) {
            (self.cursor, self.horizon) = (tick, tick);
        }
    }

    /// The first tick of the bucket that a block belongs to.
    pub(super) fn begin(&self, block: BlockNumber) -> Tick {
        self.buckets.bucket_of(block).first_tick(self.cursor)
    }

    /// Gives all memory back that is not needed.
    pub(super) fn shrink(&mut self, entries: &mut impl Entries) {
        self.buckets.shrink(entries);
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.buckets.memory()
    }

    /// Every entry with the first time of its bucket, after checking all invariants.
    #[cfg(test)]
    pub(super) fn check(&self, entries: &impl Entries) -> Vec<(EntryIndex, flow_table_api::Timestamp)> {
        let filed = self.buckets.check(entries);
        assert_eq!(!self.first.is_there(), filed.is_empty());
        assert!(self.cursor <= self.horizon, "W3");
        let begins = |(entry, bucket): (EntryIndex, Bucket)| {
            let (begins, first) = (bucket.first_tick(self.cursor), self.first);
            assert!(first.begins <= begins, "W2");
            if first.bucket == bucket {
                assert_eq!(first.begins, begins, "W2");
                assert!(if first.open { begins <= self.cursor } else { self.cursor <= begins }, "W2");
            }
            (entry, begins.start())
        };
        filed.into_iter().map(begins).collect()
    }
}
