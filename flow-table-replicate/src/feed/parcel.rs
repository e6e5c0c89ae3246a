use crate::record::{HEADER, MAX_BATCH, MAX_KEY, MAX_VALUE, Mark, TooLong, put_mark};
use crate::{ShardId, ShardSet};

/// What is left of a batch when it counts as full: more than any record takes.
const ROOM: usize = 2 * MAX_KEY + MAX_VALUE + 64;

/// Batches are put together until they have so many bytes. The engine's work and the client's is per message.
const MERGED: usize = 64 << 10;

/// The most records of batches that are put together, before the last one.
const MERGED_RECORDS: u16 = 8_192;

/// A batch on its way, with room for its header.
#[derive(Debug, Default)]
pub struct Parcel {
    pub bytes: Vec<u8>,
    pub records: u16,
    pub shards: ShardSet,
}

impl Parcel {
    /// A marker that says this about shards.
    pub fn marker(marks: impl IntoIterator<Item = Mark>) -> Self {
        let mut parcel = Self { bytes: vec![0; HEADER], ..Self::default() };
        for mark in marks {
            put_mark(&mut parcel.bytes, mark);
            parcel.shards.insert(mark.shard);
        }
        parcel
    }

    /// Whether it takes no more records.
    pub fn is_full(&self, limit: u16) -> bool {
        self.records >= limit || self.bytes.len() + ROOM > MAX_BATCH - MERGED
    }

    /// Whether another one can be put behind it.
    pub const fn takes_more(&self) -> bool {
        self.bytes.len() < MERGED && self.records < MERGED_RECORDS
    }

    /// Appends the records of another one.
    pub fn absorb(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes[HEADER..]);
        self.records += other.records;
        self.shards.extend(other.shards);
    }

    /// Appends a record. If `write` fails or panics, the parcel is as it was.
    pub fn append(
        &mut self,
        shard: ShardId,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>,
    ) -> Result<(), TooLong> {
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER, 0);
        }
        let mut undo = Undo { len: self.bytes.len(), bytes: &mut self.bytes };
        write(undo.bytes)?;
        undo.len = usize::MAX;
        drop(undo);
        self.records += 1;
        self.shards.insert(shard);
        Ok(())
    }
}

/// Takes back what was appended: user code that writes keys and values may panic.
struct Undo<'b> {
    bytes: &'b mut Vec<u8>,
    len: usize,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.len);
    }
}
