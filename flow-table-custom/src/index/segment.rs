//! One part of the hash table: an array of buckets that is replaced as a whole when it grows or shrinks. A
//! table has so many segments that no replacement takes long.
//!
//! # Ground rules
//!
//! * Only the holder of the shard's lock changes a segment. [`LockedHalf`] is the part that only the holder
//!   sees, and it proves the lock.
//! * Readers load the array and walk it from the key's home bucket to the first bucket that does not overflow.
//!   P1: arrays are type-stable. An array that was replaced is emptied, and its memory is only used for buckets
//!   again. So an outdated reader sees empty or foreign slots, and must check what it finds by key.
//! * P6. An outdated reader may *miss* a flow that is there. So the version is incremented between publishing a
//!   new array and emptying the old one. A reader that misses and finds another version looks again. If the
//!   version is the same, the key was absent at some moment of the walk.
//! * P7. When a flow is about to replace a live one (see `switch`), both are in the segments of their keys. A
//!   reader may have passed the new flow's slot before it was filled, and may see the old flow after it has
//!   ended. So the version is incremented between the two. If the old flow had ended before, the version is
//!   incremented between the start of the new one and the emptying of the old one's slots, and once more after
//!   that.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;

use super::bucket::{Bucket, SLOTS};
use super::slot::Slot;
use crate::hash::KeyHash;
use crate::memory::AllocError;
use crate::sync::{AtomicU64, Ordering};

/// An array has 2^LOG2_MAX buckets at most: some 80,000 slots.
const LOG2_MAX: u32 = KeyHash::BUCKET_BITS;

/// How many buckets ahead a rebuild fetches what it needs.
const REBUILD_AHEAD: usize = 2;

/// What a segment needs to know about its slots when it is rebuilt.
pub(crate) trait SlotHashes {
    /// The hash of a slot's key.
    fn hash_of(&self, slot: Slot) -> KeyHash;

    /// Starts loading what [`hash_of`](Self::hash_of) needs.
    fn prefetch(&self, slot: Slot);
}

/// A source of arrays of empty buckets.
pub(crate) trait BucketSource {
    /// log2 of the shortest array that a segment has.
    fn least(&self) -> u32;

    /// Returns an array of 2^`log2` empty buckets. It stays readable for as long as the source exists, also
    /// after `free`.
    fn alloc(&self, log2: u32) -> Result<NonNull<Bucket>, AllocError>;

    /// Takes an array back.
    ///
    /// # Safety
    ///
    /// 1. `alloc` of this source returned the array for this `log2`, and it was not freed since.
    /// 2. All its buckets were reset, and nobody writes to them any more.
    /// 3. The resetting, and all other writes, happen before this call.
    unsafe fn free(&self, array: NonNull<Bucket>, log2: u32);
}

/// The part of a segment that readers see.
pub(crate) struct Segment {
    /// An [`Array`].
    array: AtomicU64,
    version: AtomicU64,
}

/// The array of a segment in one word. All zeros if there is none.
///
/// ```text
///  63             48 47                            0
/// +-----------------+-------------------------------+
/// | last bucket     | address of bucket 0           |
/// +-----------------+-------------------------------+
/// ```
#[derive(Clone, Copy)]
struct Array(u64);

impl Array {
    const ADDRESS_BITS: u32 = 48;

    /// Fails if the system has placed the array at an address of more than 48 bits. On Linux it does not, unless
    /// it is asked to.
    fn new(first: NonNull<Bucket>, log2: u32) -> Result<Self, AllocError> {
        let address = first.as_ptr().expose_provenance() as u64;
        let last = (1 << log2) - 1;
        if address >> Self::ADDRESS_BITS == 0 {
            Ok(Self(last << Self::ADDRESS_BITS | address))
        } else {
            Err(AllocError)
        }
    }

    /// The number of the last bucket: a mask for the others.
    #[inline]
    const fn mask(self) -> usize {
        (self.0 >> Self::ADDRESS_BITS) as usize
    }

    #[inline]
    fn first(self) -> *const Bucket {
        std::ptr::with_exposed_provenance((self.0 & ((1 << Self::ADDRESS_BITS) - 1)) as usize)
    }
}

/// The part of a segment that belongs to the shard's lock.
#[derive(Default)]
pub(crate) struct LockedHalf {
    used: u32,
    /// The most slots that may be used in the array, and the number below which it is halved. Zero if there is
    /// no array.
    room: u32,
    few: u32,
}

#[cfg(all(test, not(flow_table_loom)))]
impl LockedHalf {
    pub(crate) fn used(&self) -> usize {
        self.used as usize
    }
}

/// The version of a segment. A reader compares it before and after a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(u64);

/// Where the walk for a key begins: its home bucket, if the segment has an array, and the version before.
#[derive(Clone, Copy)]
pub(crate) struct Home<'s> {
    bucket: Option<&'s Bucket>,
    version: Version,
}

/// The result of a look at a key's home bucket only.
#[derive(Clone, Copy)]
pub(crate) enum Glance<S = Slot> {
    /// At some moment of the look, no flow had the key.
    Miss,
    /// The first slot that may be the key's. There may be others.
    Met(S),
    /// Only a walk can tell.
    Unsure,
}

impl<S> Glance<S> {
    /// Replaces what was met by what `look` makes of it.
    #[inline]
    pub(crate) fn and<T>(self, look: impl FnOnce(S) -> T) -> Glance<T> {
        match self {
            Self::Miss => Glance::Miss,
            Self::Met(slot) => Glance::Met(look(slot)),
            Self::Unsure => Glance::Unsure,
        }
    }
}

/// A slot's place in its segment. It is valid while the lock is held and nothing is inserted or removed.
#[derive(Clone, Copy)]
pub(crate) struct Place<'s> {
    buckets: Buckets<'s>,
    bucket: usize,
    number: usize,
}

/// The buckets of a segment that has an array.
#[derive(Clone, Copy)]
struct Buckets<'s> {
    first: NonNull<Bucket>,
    /// The number of the last one.
    mask: usize,
    segment: PhantomData<&'s Segment>,
}

impl<'s> Buckets<'s> {
    /// The bucket with this number. The first one follows the last one.
    #[inline]
    fn at(self, number: usize) -> &'s Bucket {
        // SAFETY: as for `Segment::buckets`; the mask keeps the bucket within the array.
        unsafe { self.first.add(number & self.mask).as_ref() }
    }

    /// The number of the home bucket.
    #[inline]
    const fn home(self, hash: KeyHash) -> usize {
        hash.bucket(self.mask)
    }

    #[inline]
    const fn next(self, number: usize) -> usize {
        (number + 1) & self.mask
    }
}

impl Place<'_> {
    /// The full buckets that a key with this hash passed on the way here.
    #[inline]
    fn passed(self, hash: KeyHash) -> impl Iterator<Item = usize> {
        let on_the_way = move |at: usize| (at != self.bucket).then_some(at);
        std::iter::successors(on_the_way(self.buckets.home(hash)), move |&at| on_the_way(self.buckets.next(at)))
    }
}

/// The most slots that are used in 2^`log2` buckets: 13/16 of them. At that load, two in seven buckets
/// overflow.
const fn room(log2: u32) -> u32 {
    ((SLOTS << log2) * 13 / 16) as u32
}

/// log2 of the shortest array with room for so many slots, or of the longest one.
pub(super) fn log2_for(slots: usize) -> u32 {
    (0..LOG2_MAX).find(|&log2| room(log2) as usize >= slots).unwrap_or(LOG2_MAX)
}

impl Home<'_> {
    /// What is nowhere.
    pub(crate) const NONE: Self = Self { bucket: None, version: Version(0) };

    /// Starts loading the bucket. (There is no harm in loading from nowhere.)
    #[inline]
    pub(crate) fn prefetch(self) {
        crate::prefetch::read(self.bucket.map_or(std::ptr::null(), std::ptr::from_ref));
    }
}

impl Segment {
    pub(crate) fn new() -> Self {
        Self { array: AtomicU64::new(0), version: AtomicU64::new(0) }
    }

    #[inline]
    fn array(&self) -> Array {
        // Acquire: pairs with the Release in `rebuild`: the new array's slots are visible.
        Array(self.array.load(Ordering::Acquire))
    }

    #[inline]
    fn buckets(&self) -> &[Bucket] {
        let array = self.array();
        if array.0 == 0 {
            return &[];
        }
        // SAFETY: (1) `rebuild` stored an array of this length that `BucketSource::alloc` returned; (2) it
        // stays readable for as long as the segment exists, by the contract of `BucketSource`, which lives as
        // long; (3) buckets consist of atomics only, so shared references to reused ones are fine.
        unsafe { slice::from_raw_parts(array.first(), array.mask() + 1) }
    }

    /// The key's home bucket, and the version of the segment before.
    #[inline]
    pub(crate) fn home(&self, hash: KeyHash) -> Home<'_> {
        let version = self.version();
        let array = self.array();
        let first = NonNull::new(array.first().cast_mut());
        // SAFETY: as for `buckets`; the mask keeps the bucket within the array.
        let bucket = first.map(|first| unsafe { first.add(hash.bucket(array.mask())).as_ref() });
        Home { bucket, version }
    }

    /// Looks for the key in its home bucket, which [`home`](Self::home) of this segment returned. P6: a miss is
    /// confirmed by the version.
    #[inline]
    pub(crate) fn glance(&self, home: Home<'_>, hash: KeyHash) -> Glance {
        if let Some(bucket) = home.bucket {
            let tags = bucket.tags();
            if let Some(number) = tags.matching(hash.tag()).next() {
                return bucket.slot(number).map_or(Glance::Unsure, Glance::Met);
            }
            if tags.overflows() {
                return Glance::Unsure;
            }
        }
        if self.version() == home.version { Glance::Miss } else { Glance::Unsure }
    }

    /// Loads the array's address and starts loading the key's home bucket.
    #[inline]
    pub(crate) fn prefetch(&self, hash: KeyHash) {
        self.home(hash).prefetch();
    }

    /// The version: see the module. Read it before a walk, and again after a miss.
    #[inline]
    pub(crate) fn version(&self) -> Version {
        // Acquire: pairs with `bump`, so that a walk after it sees what was published before it. (After a miss,
        // the Acquire loads of the walk keep this load behind them.)
        Version(self.version.load(Ordering::Acquire))
    }

    /// Increments the version. This is done between publishing a new array and emptying the old one, between
    /// filling the slots of a flow that replaces another and the end of the other, and before and after the
    /// slots of a displaced flow that has ended are emptied. Call it under the shard's lock.
    pub(crate) fn bump(&self, _: &mut LockedHalf) {
        // Release: pairs with `version`. Relaxed load: only the holder of the lock stores.
        self.version.store(self.version.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Walks the slots that may be the key's once, until `visit` returns something. Nothing confirms a miss.
    #[inline]
    pub(crate) fn find<R>(&self, hash: KeyHash, mut visit: impl FnMut(Slot) -> Option<R>) -> Option<R> {
        self.walk(hash, |_, slot| visit(slot))
    }

    /// The buckets, if there is an array.
    #[inline]
    fn array_buckets(&self) -> Option<Buckets<'_>> {
        let array = self.array();
        let first = NonNull::new(array.first().cast_mut())?;
        Some(Buckets { first, mask: array.mask(), segment: PhantomData })
    }

    #[inline]
    fn walk<'s, R>(&'s self, hash: KeyHash, mut visit: impl FnMut(Place<'s>, Slot) -> Option<R>) -> Option<R> {
        let buckets = self.array_buckets()?;
        let (tag, home) = (hash.tag(), buckets.home(hash));
        let mut at = home;
        loop {
            let bucket = buckets.at(at);
            let tags = bucket.tags();
            for number in tags.matching(tag) {
                if let Some(slot) = bucket.slot(number)
                    && let Some(found) = visit(Place { buckets, bucket: at, number }, slot)
                {
                    return Some(found);
                }
            }
            at = buckets.next(at);
            if !tags.overflows() || at == home {
                return None;
            }
        }
    }

    /// As [`find`](Self::find), with the slot's place. Call it under the shard's lock.
    #[inline]
    pub(crate) fn find_place<'s, R>(
        &'s self,
        _: &mut LockedHalf,
        hash: KeyHash,
        visit: impl FnMut(Place<'s>, Slot) -> Option<R>,
    ) -> Option<R> {
        self.walk(hash, visit)
    }

    /// Makes room for `slots` more slots, at most nine. Call it under the shard's lock.
    #[inline]
    pub(crate) fn reserve(
        &self,
        half: &mut LockedHalf,
        slots: u32,
        source: &impl BucketSource,
        hashes: &impl SlotHashes,
    ) -> Result<(), AllocError> {
        if half.used + slots <= half.room { Ok(()) } else { self.grow(half, source, hashes) }
    }

    #[cold]
    #[inline(never)]
    fn grow(
        &self,
        half: &mut LockedHalf,
        source: &impl BucketSource,
        hashes: &impl SlotHashes,
    ) -> Result<(), AllocError> {
        match self.buckets().len() {
            0 => self.rebuild(half, source.least(), source, hashes),
            len if len < 1 << LOG2_MAX => self.rebuild(half, len.trailing_zeros() + 1, source, hashes),
            _ => Err(AllocError),
        }
    }

    /// Finds the first empty slot on the key's probe path, if no slot on the path can be the key's. It walks the
    /// path once. There must be room ([`reserve`](Self::reserve)). Call it under the shard's lock.
    #[inline]
    pub(crate) fn vacancy(&self, half: &LockedHalf, hash: KeyHash) -> Option<Place<'_>> {
        debug_assert!(half.used < half.room);
        let buckets = self.array_buckets()?;
        let bucket = buckets.home(hash);
        let tags = buckets.at(bucket).tags();
        if tags.matching(hash.tag()).next().is_none()
            && !tags.overflows()
            && let Some(number) = tags.empty().next()
        {
            return Some(Place { buckets, bucket, number });
        }
        let (bucket, number) = Self::vacancy_of_path(buckets, hash);
        (number < SLOTS).then_some(Place { buckets, bucket, number })
    }

    /// As [`vacancy`](Self::vacancy), if the home bucket does not tell. Without a place, the number is [`SLOTS`]:
    /// both numbers are in registers.
    #[inline(never)]
    fn vacancy_of_path(buckets: Buckets<'_>, hash: KeyHash) -> (usize, usize) {
        const NONE: (usize, usize) = (0, SLOTS);
        let (tag, home) = (hash.tag(), buckets.home(hash));
        let (mut at, mut vacancy) = (home, NONE);
        loop {
            let tags = buckets.at(at).tags();
            if tags.matching(tag).next().is_some() {
                return NONE;
            }
            if vacancy == NONE
                && let Some(number) = tags.empty().next()
            {
                vacancy = (at, number);
            }
            at = buckets.next(at);
            if vacancy != NONE && !tags.overflows() || at == home {
                return vacancy;
            }
        }
    }

    /// Fills the slot at `place`, which [`vacancy`](Self::vacancy) returned under the same lock. It writes to
    /// the bucket of that slot, and to the full buckets before it on the path.
    #[inline]
    pub(crate) fn occupy(&self, half: &mut LockedHalf, hash: KeyHash, place: Place<'_>, slot: Slot) {
        place.passed(hash).for_each(|at| place.buckets.at(at).count_overflow());
        place.buckets.at(place.bucket).fill(place.number, hash.tag(), slot);
        half.used += 1;
    }

    /// Fills the first empty slot on the key's probe path. There must be room ([`reserve`](Self::reserve)).
    /// Call it under the shard's lock.
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

    /// Checks that each slot is on the probe path of its key and that the counts are right. Returns what is
    /// wrong otherwise. Call it under the shard's lock.
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
        if used != half.used || half.used > half.room {
            return Err(format!("{used} slots are in use, {} of {} are counted", half.used, half.room));
        }
        for (place, (bucket, passed)) in buckets.iter().zip(passed).enumerate() {
            if bucket.overflow().is_some_and(|count| count != passed) {
                return Err(format!("{passed} flows passed bucket {place}, it counts {:?}", bucket.overflow()));
            }
        }
        Ok(())
    }

    /// Empties the slot at `place`, which is on the probe path of `hash`. Call it under the shard's lock.
    #[inline]
    pub(crate) fn clear(&self, half: &mut LockedHalf, hash: KeyHash, place: Place<'_>) {
        place.buckets.at(place.bucket).clear(place.number);
        place.passed(hash).for_each(|at| place.buckets.at(at).uncount_overflow());
        half.used -= 1;
    }

    /// Empties exactly this slot. Returns `false` if it was not there. Call it under the shard's lock.
    #[inline]
    pub(crate) fn remove(&self, half: &mut LockedHalf, hash: KeyHash, slot: Slot) -> bool {
        let Some(buckets) = self.array_buckets() else { return false };
        let bucket = buckets.at(buckets.home(hash));
        // Nearly always, it is the first one with the tag in the home bucket.
        if let Some(number) = bucket.tags().matching(hash.tag()).next()
            && bucket.slot(number) == Some(slot)
        {
            bucket.clear(number);
            half.used -= 1;
            return true;
        }
        self.remove_on_path(half, hash, slot)
    }

    #[cold]
    #[inline(never)]
    fn remove_on_path(&self, half: &mut LockedHalf, hash: KeyHash, slot: Slot) -> bool {
        let place = self.find_place(half, hash, |place, other| (other == slot).then_some(place));
        if let Some(place) = place {
            self.clear(half, hash, place);
        }
        place.is_some()
    }

    /// Replaces a slot by another one for the same key, and increments the version: a look-up that has passed the
    /// old one by, because its flow had left, looks again. Returns `false` if it was not there. Call it under the
    /// shard's lock.
    pub(crate) fn replace(&self, half: &mut LockedHalf, hash: KeyHash, old: Slot, new: Slot) -> bool {
        let place = self.find_place(half, hash, |place, other| (other == old).then_some(place));
        if let Some(Place { buckets, bucket, number }) = place {
            buckets.at(bucket).put(number, hash.tag(), new);
            self.bump(half);
        }
        place.is_some()
    }

    /// Halves an array that is nearly empty. Without memory it stays as it is. Call it under the shard's lock.
    #[inline]
    pub(crate) fn shrink(&self, half: &mut LockedHalf, source: &impl BucketSource, hashes: &impl SlotHashes) {
        if half.used < half.few {
            let _ = self.rebuild(half, self.buckets().len().trailing_zeros() - 1, source, hashes);
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
        let first = source.alloc(log2)?;
        let array = Array::new(first, log2).inspect_err(|AllocError| {
            // SAFETY: (1) to (3) it was returned just now, and nobody has written to it.
            unsafe { source.free(first, log2) }
        })?;
        // SAFETY: `alloc` returned 2^log2 buckets. They stay readable for as long as the segment exists.
        let new: &[Bucket] = unsafe { slice::from_raw_parts(first.as_ptr(), 1 << log2) };
        let old = self.buckets();
        for (at, bucket) in old.iter().enumerate() {
            // The records of a bucket's flows lie anywhere in memory. Those of a later bucket are loaded ahead.
            if let Some(later) = old.get(at + REBUILD_AHEAD) {
                later.tags().used().filter_map(|number| later.slot(number)).for_each(|slot| hashes.prefetch(slot));
            }
            for number in bucket.tags().used() {
                let slot = bucket.slot(number).expect("a used slot is not null under the lock");
                Self::fill(new, hashes.hash_of(slot), slot);
            }
        }
        // Release: pairs with `buckets`.
        self.array.store(array.0, Ordering::Release);
        half.room = room(log2);
        half.few = if log2 == source.least() { 0 } else { room(log2) / 5 };
        self.bump(half);
        for bucket in old {
            bucket.reset();
        }
        if let Some(first) = NonNull::new(old.as_ptr().cast_mut()).filter(|_| !old.is_empty()) {
            // SAFETY: (1) an earlier call stored the array here, and this call has just taken it out; (2) and
            // (3) its buckets have just been reset, and are written under the shard's lock only.
            unsafe { source.free(first, old.len().trailing_zeros()) };
        }
        Ok(())
    }
}
