use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use parking_lot::Mutex;
use thread_local::ThreadLocal;

use super::counters::Counting;
use crate::record::{HEADER, Kind, MAX_BATCH, MAX_KEY, MAX_VALUE, Mark, TooLong, put_mark};
use crate::{Settings, ShardId, ShardSet};

/// What is left of a batch when it counts as full: more than any record takes.
const ROOM: usize = 2 * MAX_KEY + MAX_VALUE + 64;

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

    fn is_full(&self, limit: u16) -> bool {
        self.records >= limit || self.bytes.len() + ROOM > MAX_BATCH
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

/// User code that writes keys and values has panicked: the record is lost.
struct Lost<'o> {
    outbox: &'o Outbox,
    shard: ShardId,
    counters: &'o Counting,
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        self.outbox.lose(1, [self.shard].into_iter().collect(), self.counters);
    }
}

/// The buffers of one thread. The thread and the publisher try their locks and never wait for them. The publisher
/// holds at most one of the two, so the thread always finds the other. If user code that writes a value records
/// something itself, that goes into the other one as well.
#[derive(Default)]
struct Worker {
    buffers: [Mutex<Buffer>; 2],
}

#[derive(Default)]
struct Buffer {
    parcel: Parcel,
    /// The publisher has seen records in it.
    seen: bool,
}

/// A batch of a sweep or a claim: with its kind, the number of the sweep or of the claim, and its place.
pub type Swept = (Kind, u64, u32, Parcel);

/// The buffers of all threads, and the ring from them to the publisher. Everything in it is bounded.
pub struct Outbox {
    workers: ThreadLocal<Worker>,
    ring: ArrayQueue<Parcel>,
    /// Batches of a sweep. The sweeper waits for room here, so that it never takes room from the packet path.
    sweep: ArrayQueue<Swept>,
    markers: ArrayQueue<Swept>,
    claims: AtomicU64,
    seen: AtomicU64,
    /// The latest of this process's batches that has come back.
    returned: AtomicU64,
    /// How often records were lost, and how many of these losses a sweep has repaired.
    losses: AtomicU64,
    repaired: AtomicU64,
    spare: ArrayQueue<Vec<u8>>,
    dirty: [AtomicU64; 4],
    limit: u16,
}

impl Outbox {
    pub fn new(settings: &Settings) -> Self {
        Self {
            workers: ThreadLocal::new(),
            ring: ArrayQueue::new(settings.ring_buffers),
            sweep: ArrayQueue::new(8),
            markers: ArrayQueue::new(8),
            claims: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            repaired: AtomicU64::new(0),
            spare: ArrayQueue::new(settings.ring_buffers),
            dirty: Default::default(),
            limit: settings.buffer_records,
        }
    }

    /// Writes a record into a buffer of this thread. Never waits.
    pub fn record(
        &self,
        shard: ShardId,
        counters: &Counting,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>,
    ) {
        let worker = self.workers.get_or_default();
        let Some(mut buffer) = worker.buffers.iter().find_map(Mutex::try_lock) else {
            return self.lose(1, [shard].into_iter().collect(), counters);
        };
        let unless_written = Lost { outbox: self, shard, counters };
        let written = buffer.parcel.append(shard, write);
        std::mem::forget(unless_written);
        if written.is_err() {
            counters.oversized.add(1);
        }
        if buffer.parcel.is_full(self.limit) {
            self.hand_over(&mut buffer, counters);
        }
    }

    fn hand_over(&self, buffer: &mut Buffer, counters: &Counting) {
        buffer.seen = false;
        if buffer.parcel.records == 0 {
            return;
        }
        let parcel = std::mem::take(&mut buffer.parcel);
        buffer.parcel.bytes = self.spare.pop().unwrap_or_default();
        let records = parcel.records.into();
        match self.ring.push(parcel) {
            Ok(()) => counters.recorded.add(records),
            Err(parcel) => {
                self.lose(records, parcel.shards, counters);
                self.recycle(parcel.bytes);
            }
        }
    }

    /// Hands this thread's buffers over. Never waits.
    pub fn flush(&self, counters: &Counting) {
        let buffers = self.workers.get().into_iter().flat_map(|worker| &worker.buffers);
        buffers.filter_map(Mutex::try_lock).for_each(|mut buffer| self.hand_over(&mut buffer, counters));
    }

    /// For the publisher: hands over the buffers that already had records when this was called before, of threads
    /// that have ended too. With `all`, hands every buffer over. Returns `false` if a thread was using one of
    /// them.
    pub fn collect(&self, all: bool, counters: &Counting) -> bool {
        let mut complete = true;
        for worker in &self.workers {
            for buffer in &worker.buffers {
                let Some(mut buffer) = buffer.try_lock() else {
                    complete = false;
                    continue;
                };
                if all || buffer.seen {
                    self.hand_over(&mut buffer, counters);
                } else {
                    buffer.seen = buffer.parcel.records > 0;
                }
            }
        }
        complete
    }

    pub fn pop(&self) -> Option<Parcel> {
        self.ring.pop()
    }

    /// A claim, which goes before everything else. Returns its number; `None` if there are too many already.
    pub fn push_claim(&self, claim: Parcel) -> Option<u64> {
        // Relaxed: a number of its own.
        let number = self.claims.fetch_add(1, Ordering::Relaxed) + 1;
        self.markers.push((Kind::Claim, number, 0, claim)).ok().map(|()| number)
    }

    pub fn pop_claim(&self) -> Option<Swept> {
        self.markers.pop()
    }

    /// This process's own claim has come back: everything before it in the log has been applied.
    pub fn see_claim(&self, number: u64) {
        // Release: pairs with `has_seen_claim`.
        self.seen.fetch_max(number, Ordering::Release);
    }

    pub fn has_seen_claim(&self, number: u64) -> bool {
        // Acquire: pairs with `see_claim`. What was applied before it can be seen.
        self.seen.load(Ordering::Acquire) >= number
    }

    /// This process's own batch with this number has come back, and so have all claims before it.
    pub fn see_own(&self, number: u64) {
        // Release: pairs with `has_seen_own`. What was read before it is known.
        self.returned.fetch_max(number, Ordering::Release);
    }

    pub fn has_seen_own(&self, number: u64) -> bool {
        // Acquire: pairs with `see_own`.
        self.returned.load(Ordering::Acquire) >= number
    }

    pub fn pop_sweep(&self) -> Option<Swept> {
        self.sweep.pop()
    }

    /// For the sweeper: gives the batch back if there is no room for it.
    pub fn push_sweep(&self, batch: Swept) -> Result<(), Swept> {
        self.sweep.push(batch)
    }

    /// Whether a sweep's parcel takes no more.
    pub fn is_full(&self, parcel: &Parcel) -> bool {
        parcel.is_full(self.limit)
    }

    pub fn recycle(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        // If there are enough already, it is dropped.
        let _ = self.spare.push(bytes);
    }

    /// Records are lost: the next sweep repeats everything that is in their shards.
    pub fn lose(&self, records: u64, shards: ShardSet, counters: &Counting) {
        counters.dropped.add(records);
        if !shards.is_empty() {
            self.mark_dirty(shards);
            // AcqRel: whoever reads the count also finds the shards marked.
            self.losses.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub fn losses(&self) -> u64 {
        // Acquire: see `lose`.
        self.losses.load(Ordering::Acquire)
    }

    /// A sweep that began after so many losses is in the outbox to its end.
    pub fn repair(&self, losses: u64) {
        // Release: pairs with `is_repaired`. The sweep can be found.
        self.repaired.fetch_max(losses, Ordering::Release);
    }

    /// Whether a sweep has repaired so many losses.
    pub fn is_repaired(&self, losses: u64) -> bool {
        self.repaired.load(Ordering::Acquire) >= losses
    }

    pub fn mark_dirty(&self, shards: ShardSet) {
        for (word, bits) in self.dirty.iter().zip(shards.words()) {
            // Release: pairs with `take_dirty`.
            word.fetch_or(bits, Ordering::Release);
        }
    }

    pub fn take_dirty(&self) -> ShardSet {
        // Acquire: pairs with `mark_dirty`.
        ShardSet::from_words(std::array::from_fn(|word| self.dirty[word].swap(0, Ordering::Acquire)))
    }

    pub fn is_dirty(&self) -> bool {
        // Relaxed: a hint.
        self.dirty.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }
}
