use super::Entries;
use super::buckets::Buckets;
use super::position::BlockNumber;
use super::tick::{Bucket, Tick};
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
    first: Option<First>,
    buckets: Buckets,
}

/// The bucket to be emptied next.
#[derive(Clone, Copy, PartialEq, Eq)]
struct First {
    begins: Tick,
    bucket: Bucket,
    open: bool,
}

/// A bucket of level 1 with at most so many blocks goes to the heap as a whole. Spread over buckets of level 0,
/// each with a block of its own, it would cost more time and memory. Tests have too few entries for more than
/// one block.
const SMALL: usize = if cfg!(test) { 1 } else { 8 };

impl Wheel {
    pub(super) const fn new() -> Self {
        let zero = Tick::of(flow_table_api::Timestamp::ZERO);
        Self { cursor: zero, horizon: zero, first: None, buckets: Buckets::new() }
    }

    /// Files an entry under `tick`. Returns `false` if that is not after the horizon.
    #[inline]
    pub(super) fn file(
        &mut self,
        entry: EntryIndex,
        tick: Tick,
        entries: &mut impl Entries,
    ) -> Result<bool, AllocError> {
        if tick <= self.horizon {
            return Ok(false);
        }
        let Some(bucket) = Bucket::of(tick, self.cursor) else { return Ok(false) };
        self.buckets.push(bucket, entry, entries)?;
        let begins = bucket.first_tick(self.cursor);
        if self.first.is_none_or(|first| begins < first.begins) {
            self.first = Some(First { begins, bucket, open: false });
        }
        Ok(true)
    }

    /// No entry is filed under an earlier tick.
    #[inline]
    pub(super) fn first_tick(&self) -> Option<Tick> {
        Some(self.first?.begins)
    }

    /// Takes out an entry whose bucket has begun by `tick`. It may be due, or have to be filed again. Its
    /// position is left as it was; the caller sets it.
    #[inline]
    pub(super) fn take(&mut self, tick: Tick, entries: &mut impl Entries) -> Option<EntryIndex> {
        let Some(first) = self.first.filter(|first| first.begins <= tick) else {
            self.move_to(tick);
            return None;
        };
        if !first.open {
            self.open(first, tick, entries);
        }
        let (entry, emptied) = self.buckets.pop(first.bucket, entries)?;
        if emptied {
            self.find_first();
        }
        Some(entry)
    }

    #[inline(never)]
    fn open(&mut self, first: First, tick: Tick, entries: &impl Entries) {
        let First { begins, bucket, .. } = first;
        self.first = Some(First { open: true, ..first });
        // The cursor moves as far as the bucket, the time and the other levels allow, for entries that will be
        // filed again.
        let others = self.buckets.firsts(self.cursor).filter(|other| other.level() != bucket.level());
        let others = others.map(|other| other.first_tick(self.cursor));
        self.cursor = others.fold(tick.min(bucket.last_tick(begins)), Tick::min);
        self.horizon = self.horizon.max(self.cursor);
        if bucket.level() == 1 && self.buckets.fits_into(SMALL, bucket) {
            self.horizon = self.horizon.max(bucket.last_tick(begins));
        }
        self.buckets.prefetch(bucket, entries);
    }

    #[inline(never)]
    fn find_first(&mut self) {
        let firsts = self.buckets.firsts(self.cursor);
        let firsts = firsts.map(|bucket| First { begins: bucket.first_tick(self.cursor), bucket, open: false });
        self.first = firsts.reduce(|first, second| if second.begins < first.begins { second } else { first });
        if let Some(first) = self.first {
            self.buckets.prefetch_tail(first.bucket);
        }
    }

    /// Takes the entry in a slot out, as [`take`](Self::take) does.
    pub(super) fn remove(&mut self, block: BlockNumber, slot: usize, entries: &mut impl Entries) {
        let emptied = self.buckets.remove(block, slot, entries);
        if emptied.is_some() && emptied == self.first.map(|first| first.bucket) {
            self.find_first();
        }
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
        if self.first.is_none_or(|first| !first.open) && self.buckets.lasts(self.cursor).all(stays) {
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
        assert_eq!(self.first.is_none(), filed.is_empty());
        assert!(self.cursor <= self.horizon, "W3");
        let begins = |(entry, bucket): (EntryIndex, Bucket)| {
            let (begins, first) = (bucket.first_tick(self.cursor), self.first.expect("something is filed"));
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
