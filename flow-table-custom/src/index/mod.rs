//! The hash table. It consists of segments; each is an array of buckets of slots that point to entries. It
//! knows hashes and slots, but no keys and no flows.

mod arrays;
mod bucket;
mod segment;
mod slot;

use arrays::Arrays;
#[cfg(test)]
pub(crate) use bucket::Bucket;
#[cfg(all(test, not(flow_table_loom)))]
pub(crate) use bucket::SLOTS;
#[cfg(all(test, flow_table_loom))]
pub(crate) use segment::BucketSource;
pub(crate) use segment::{Glance, Home, LockedHalf, Place, Segment, SlotHashes};
pub(crate) use slot::Slot;

use crate::hash::{KeyHash, Tag, share};

/// Log2 of the number of segments. It is the same for all tables, however small, because the capacity may be
/// raised. With 16 million flows, a segment has some 8,000, few enough that replacing its array takes
/// microseconds. There are fewer segments where schedules are explored, so that they fill up.
const SEGMENT_BITS: u32 = if cfg!(flow_table_shuttle) { 2 } else { 11 };
pub(crate) const SEGMENTS: usize = 1 << SEGMENT_BITS;

const _: () = assert!(SEGMENT_BITS + KeyHash::BUCKET_BITS + Tag::BITS <= u32::BITS, "the parts of a hash overlap");

/// All segments of a table, in the order of their hashes: first those of shard 0, then those of shard 1 and so
/// on.
pub(crate) struct Index {
    segments: Box<[Segment; SEGMENTS]>,
    shard_bits: u32,
    /// Selects the number of a segment within its shard.
    local_mask: usize,
    pub(crate) arrays: Arrays,
}

impl Index {
    /// Makes an index for 2^`shard_bits` shards. Segments that have an array have room for their share of `slots`
    /// slots, or for the most that a segment can have.
    pub(crate) fn new(shard_bits: u32, slots: usize) -> Self {
        let segments = Box::new(std::array::from_fn(|_| Segment::new()));
        let least = if slots == 0 { 0 } else { segment::log2_for(share(slots, SEGMENTS)) };
        let arrays = Arrays::new(least);
        Self { segments, shard_bits, local_mask: (SEGMENTS >> shard_bits) - 1, arrays }
    }

    #[inline]
    pub(crate) fn segment(&self, hash: KeyHash) -> &Segment {
        &self.segments[hash.prefix(SEGMENT_BITS)]
    }

    /// The segments of a shard.
    pub(crate) fn of_shard(&self, shard: usize) -> &[Segment] {
        let per_shard = self.per_shard();
        &self.segments[shard * per_shard..][..per_shard]
    }

    pub(crate) const fn per_shard(&self) -> usize {
        self.local_mask + 1
    }

    /// The segment's number within its shard.
    #[inline]
    pub(crate) const fn local(&self, hash: KeyHash) -> usize {
        hash.prefix(SEGMENT_BITS) & self.local_mask
    }

    #[inline]
    pub(crate) const fn shard_of(&self, hash: KeyHash) -> usize {
        hash.prefix(self.shard_bits)
    }

    /// Bytes of the segments and their arrays.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.segments) + self.arrays.memory()
    }
}
