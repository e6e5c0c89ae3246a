//! One part of the hash table: an array of buckets that is replaced as a whole when it grows or shrinks. A
//! table has so many of them that no replacement takes long.
//!
//! # Ground rules
//!
//! * Only the holder of the shard's lock changes a segment; [`LockedHalf`] is what only the holder sees, and
//!   proves the lock.
//! * Readers load the array and walk it from the key's home bucket to the first bucket that does not overflow.
//!   Arrays are type-stable: one that was replaced is emptied and its memory is only ever used for buckets
//!   again, so an outdated reader sees empty or foreign slots, and must check what it finds by key.
//! * P6. An outdated reader may *miss* a flow that is there. So the version moves on between publishing a new
//!   array and emptying the old one: a reader that misses and finds the version moved looks again; if it did
//!   not move, the key was absent at some moment of the walk.
//! * P7. When a flow is about to replace a live one (see `switch`), both are in the segments of their keys. A
//!   reader may have passed the new flow's slot before it was filled and see the old flow's end after. So the
//!   version moves on between the two; and where the old flow has ended before, between the new one's start and
//!   the emptying of the old one's slots.

use std::ptr::NonNull;
use std::slice;

use super::bucket::{Bucket, SLOTS};
use super::slot::Slot;
use crate::hash::KeyHash;
use crate::memory::AllocError;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// An array has 2^LOG2_MAX buckets at most: some 80,000 slots.
const LOG2_MAX: u32 = KeyHash::BUCKET_BITS;

/// How many buckets ahead a rebuild fetches what it needs.
const REBUILD_AHEAD: usize = 2;

/// What a segment must know of its flows when it is rebuilt.
pub(crate) trait SlotHashes {
    /// The hash of a slot's key.
    fn hash_of(&self, slot: Slot) -> KeyHash;

    /// Starts loading what [`hash_of`](Self::hash_of) needs.
    fn prefetch(&self, slot: Slot);
}

/// Where arrays of empty buckets come from and go to.
pub(crate) trait BucketSource {
    /// An array of 2^`log2` empty buckets. It stays readable for as long as the source exists, also after `free`.
    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError>;

    /// Takes an array back.
    ///
    /// # Safety
    ///
    /// 1. `alloc` of this source gave the array for this `log2`, and it was not freed since.
    /// 2. All its buckets were reset, and nobody writes to them any more.
    /// 3. The resetting, and all other writes, happen before this call.
    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32);
}

/// The part of a segment that readers see.
pub(crate) struct Segment {
    /// The first bucket, with the log2 of their number in the address's lower bits; null: no buckets.
    array: AtomicPtr<Bucket>,
    version: AtomicU64,
}

/// The part of a segment that belongs to the shard's lock.
#[derive(Default)]
pub(crate) struct LockedHalf {
    used: usize,
}

#[cfg(all(test, not(flow_table_loom)))]
impl LockedHalf {
    pub(crate) fn used(&self) -> usize {
        self.used
    }
}

/// What a reader compares before and after a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(u64);

/// What one walk over the slots that may be a key's tells.
#[derive(Clone, Copy)]
pub(crate) enum Glance<R> {
    /// At some moment of the walk, no flow had the key.
    Miss,
    /// What a slot gave.
    Met(R),
    /// Nothing was met, but the segment is changing.
    Unsure,
}

/// A slot's place in its segment, valid while the lock is held and nothing was inserted or removed.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    bucket: usize,
    number: usize,
}

/// Slots used at most in 2^`log2` buckets: 13/16 of them, when two in seven buckets overflow.
const fn room(log2: u32) -> usize {
    (SLOTS << log2) * 13 / 16
}

impl Segment {
    pub(crate) fn new() -> Self {
        Self { array: AtomicPtr::new(std::ptr::null_mut()), version: AtomicU64::new(0) }
    }

    #[inline]
    fn buckets(&self) -> &[Bucket] {
        // Acquire: pairs with the Release in `rebuild`: the new array's slots are visible.
        let tagged = self.array.load(Ordering::Acquire);
        let log2 = tagged.addr() & (align_of::<Bucket>() - 1);
        match NonNull::new(tagged.map_addr(|address| address & !(align_of::<Bucket>() - 1))) {
            // SAFETY: (1) `rebuild` stored a pointer to 2^log2 buckets that `BucketSource::alloc` gave; (2)
            // they stay readable for as long as the segment exists, by the contract of `BucketSource`, which
            // lives as long; (3) buckets are all atomics, so shared references to ones being reused are fine.
            Some(first) => unsafe { slice::from_raw_parts(first.as_ptr(), 1 << log2) },
            None => &[],
        }
    }

    /// Loads the array's address and starts loading the key's home bucket.
    #[inline]
    pub(crate) fn prefetch(&self, hash: KeyHash) {
        let buckets = self.buckets();
        if let Some(bucket) = buckets.get(hash.bucket(buckets.len().wrapping_sub(1))) {
            crate::prefetch::read(bucket);
        }
    }

    /// The version: see the module. Read before a walk, and again after a miss.
    #[inline]
    pub(crate) fn version(&self) -> Version {
        // Acquire: pairs with `advance`, so that a walk after it sees what was published before it. (After a
        // miss, the Acquire loads of the walk keep this load behind them.)
        Version(self.version.load(Ordering::Acquire))
    }

    /// Moves the version on: between publishing a new array and emptying the old one, between filling the slots
    /// of a flow that replaces another and the other's end, and between the start of a flow and the removal of
    /// one that has ended. Under the shard's lock.
    pub(crate) fn bump(&self, _: &mut LockedHalf) {
        // Release: pairs with `version`. Relaxed load: only the holder of the lock stores.
        self.version.store(self.version.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Visits the slots that may be the key's, once, until `visit` gives something.
    #[inline]
    pub(crate) fn glance<R>(&self, hash: KeyHash, visit: impl FnMut(Slot) -> Option<R>) -> Glance<R> {
        let version = self.version();
        match self.find(hash, visit) {
            Some(met) => Glance::Met(met),
            None if self.version() == version => Glance::Miss,
            None => Glance::Unsure,
        }
    }

    /// Walks the slots that may be the key's, until `visit` gives something: once, so a miss proves nothing.
    #[inline]
    pub(crate) fn find<R>(&self, hash: KeyHash, mut visit: impl FnMut(Slot) -> Option<R>) -> Option<R> {
        self.walk(hash, |bucket, number| visit(bucket.slot(number)?))
    }

    #[inline]
    fn walk<R>(&self, hash: KeyHash, mut visit: impl FnMut(&Bucket, usize) -> Option<R>) -> Option<R> {
        let buckets = self.buckets();
        let mask = buckets.len().wrapping_sub(1);
        let (tag, mut at) = (hash.tag(), hash.bucket(mask));
        for _ in 0..buckets.len() {
            let bucket = &buckets[at];
            let tags = bucket.tags();
            for number in tags.matching(tag) {
                if let Some(found) = visit(bucket, number) {
                    return Some(found);
                }
            }
            if !tags.overflows() {
                break;
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// As [`find`](Self::find), with the slot's place. Under the shard's lock.
    pub(crate) fn find_place<R>(
        &self,
        _: &mut LockedHalf,
        hash: KeyHash,
        mut visit: impl FnMut(Place, Slot) -> Option<R>,
    ) -> Option<R> {
        let buckets = self.buckets();
        self.walk(hash, |bucket, number| {
            let index = (std::ptr::from_ref(bucket).addr() - buckets.as_ptr().addr()) / size_of::<Bucket>();
            visit(Place { bucket: index, number }, bucket.slot(number)?)
        })
    }

    /// Makes room for `slots` more slots, at most nine. Under the shard's lock.
    pub(crate) fn reserve(
        &self,
        half: &mut LockedHalf,
        slots: usize,
        source: &impl BucketSource,
        hashes: &impl SlotHashes,
    ) -> Result<(), AllocError> {
        let log2 = match self.buckets().len() {
            0 => return self.rebuild(half, 0, source, hashes),
            len => len.trailing_zeros(),
        };
        if half.used + slots <= room(log2) {
            Ok(())
        } else if log2 < LOG2_MAX {
            self.rebuild(half, log2 + 1, source, hashes)
        } else {
            Err(AllocError)
        }
    }

    /// An empty slot on the key's way, if no slot on it could be the key's and there is room. Under the shard's
    /// lock.
    #[inline]
    pub(crate) fn vacancy(&self, half: &LockedHalf, hash: KeyHash) -> Option<Place> {
        let buckets = self.buckets();
        let mask = buckets.len().wrapping_sub(1);
        if buckets.is_empty() || half.used >= room(buckets.len().trailing_zeros()) {
            return None;
        }
        let (tag, mut at, mut vacancy) = (hash.tag(), hash.bucket(mask), None);
        for _ in 0..buckets.len() {
            let tags = buckets[at].tags();
            if tags.matching(tag).next().is_some() {
                return None;
            }
            vacancy = vacancy.or_else(|| Some(Place { bucket: at, number: tags.empty().next()? }));
            if vacancy.is_some() && !tags.overflows() {
                break;
            }
            at = (at + 1) & mask;
        }
        vacancy
    }

    /// Fills the slot at `place`, which [`vacancy`](Self::vacancy) gave. Under the same lock.
    #[inline]
    pub(crate) fn occupy(&self, half: &mut LockedHalf, hash: KeyHash, place: Place, slot: Slot) {
        let buckets = self.buckets();
        let mask = buckets.len().wrapping_sub(1);
        let mut at = hash.bucket(mask);
        while at != place.bucket {
            buckets[at].count_overflow();
            at = (at + 1) & mask;
        }
        buckets[at].put(place.number, hash.tag(), slot);
        half.used += 1;
    }

    /// Fills an empty slot on the key's way; there is room ([`reserve`](Self::reserve)). Under the shard's lock.
    pub(crate) fn insert(&self, half: &mut LockedHalf, hash: KeyHash, slot: Slot) {
        Self::fill(self.buckets(), hash, slot);
        half.used += 1;
    }

    fn fill(buckets: &[Bucket], hash: KeyHash, slot: Slot) {
        let mask = buckets.len().wrapping_sub(1);
        let mut at = hash.bucket(mask);
        for _ in 0..buckets.len() {
            let bucket = &buckets[at];
            if let Some(number) = bucket.tags().empty().next() {
                bucket.put(number, hash.tag(), slot);
                return;
            }
            bucket.count_overflow();
            at = (at + 1) & mask;
        }
        unreachable!("`reserve` keeps slots empty");
    }

    /// Whether each slot is on the way of its key, and the counts are those of the slots; what is wrong, if
    /// not. Under the shard's lock.
    pub(crate) fn verify(&self, half: &mut LockedHalf, hashes: &impl SlotHashes) -> Result<(), String> {
        let buckets = self.buckets();
        let mask = buckets.len().wrapping_sub(1);
        let (mut used, mut passed) = (0, vec![0; buckets.len()]);
        for (place, bucket) in buckets.iter().enumerate() {
            for number in bucket.tags().used() {
                let slot = bucket.slot(number).ok_or_else(|| format!("a null slot in use in bucket {place}"))?;
                let hash = hashes.hash_of(slot);
                if !bucket.tags().matching(hash.tag()).any(|other| other == number) {
                    return Err(format!("{slot:?} in bucket {place} has another tag than its key"));
                }
                used += 1;
                let mut at = hash.bucket(mask);
                while at != place {
                    passed[at] += 1;
                    at = (at + 1) & mask;
                }
            }
        }
        if used != half.used {
            return Err(format!("{used} slots are in use, {} are counted", half.used));
        }
        for (place, (bucket, passed)) in buckets.iter().zip(passed).enumerate() {
            if bucket.overflow().is_some_and(|count| count != passed) {
                return Err(format!("{passed} flows passed bucket {place}, it counts {:?}", bucket.overflow()));
            }
        }
        Ok(())
    }

    /// Empties the slot at `place`, which is on the way of `hash`. Under the shard's lock.
    fn clear(&self, half: &mut LockedHalf, hash: KeyHash, place: Place) {
        let buckets = self.buckets();
        let mask = buckets.len() - 1;
        buckets[place.bucket].clear(place.number);
        let mut at = hash.bucket(mask);
        while at != place.bucket {
            buckets[at].uncount_overflow();
            at = (at + 1) & mask;
        }
        half.used -= 1;
    }

    /// Empties this very slot, wherever it is; whether it was there. Under the shard's lock.
    pub(crate) fn remove(&self, half: &mut LockedHalf, hash: KeyHash, slot: Slot) -> bool {
        let place = self.find_place(half, hash, |place, other| (other == slot).then_some(place));
        if let Some(place) = place {
            self.clear(half, hash, place);
        }
        place.is_some()
    }

    /// Halves an array that is nearly empty. Under the shard's lock. Without memory it stays as it is.
    pub(crate) fn shrink(&self, half: &mut LockedHalf, source: &impl BucketSource, hashes: &impl SlotHashes) {
        let log2 = match self.buckets().len() {
            0 | 1 => return,
            len => len.trailing_zeros(),
        };
        if half.used < room(log2) / 5 {
            let _ = self.rebuild(half, log2 - 1, source, hashes);
        }
    }

    #[cold]
    #[inline(never)]
    fn rebuild(
        &self,
        half: &mut LockedHalf,
        log2: u32,
        source: &impl BucketSource,
        hashes: &impl SlotHashes,
    ) -> Result<(), AllocError> {
        let array = source.alloc(log2)?;
        debug_assert!((log2 as usize) < align_of::<Bucket>());
        // SAFETY: `alloc` gave 2^log2 buckets; they stay readable for as long as the segment exists.
        let new: &[Bucket] = unsafe { slice::from_raw_parts(array.as_ptr(), 1 << log2) };
        let old = self.buckets();
        for (at, bucket) in old.iter().enumerate() {
            // The records of a bucket's flows lie anywhere in memory: those of a later bucket are fetched
            // meanwhile.
            if let Some(later) = old.get(at + REBUILD_AHEAD) {
                later.tags().used().filter_map(|number| later.slot(number)).for_each(|slot| hashes.prefetch(slot));
            }
            for number in bucket.tags().used() {
                let slot = bucket.slot(number).expect("a used slot is not null under the lock");
                Self::fill(new, hashes.hash_of(slot), slot);
            }
        }
        // Release: pairs with `buckets`.
        self.array.store(array.as_ptr().map_addr(|address| address | log2 as usize), Ordering::Release);
        self.bump(half);
        for bucket in old {
            bucket.reset();
        }
        if let Some(first) = NonNull::new(old.as_ptr().cast_mut()).filter(|_| !old.is_empty()) {
            // SAFETY: (1) an earlier call stored it here, and this one has just taken it out; (2) and (3) its
            // buckets were reset just now, and are written under the shard's lock only.
            unsafe { source.free(first, old.len().trailing_zeros()) };
        }
        Ok(())
    }
}
