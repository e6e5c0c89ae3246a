use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use parking_lot::{Mutex, MutexGuard};
use thread_local::ThreadLocal;

use super::counters::Counting;
use super::parcel::Parcel;
use crate::record::{HEADER, Kind, TooLong};
use crate::{Settings, ShardId, ShardSet};

/// How often a thread tries to get one of its two buffers. See [`Worker`].
const TRIES: usize = 3;

/// `reap_local` leaves fewer records than this to the publisher: small batches would fill the ring.
const WORTHWHILE: u16 = 64;

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
/// holds at most one of the two, and goes from the first to the second: a thread that finds the first one held,
/// and then the second, finds the first one free again, unless the publisher has come round meanwhile. If user
/// code that writes a value records something itself, that goes into the other one as well.
#[derive(Default)]
struct Worker {
    buffers: [Mutex<Parcel>; 2],
}

impl Worker {
    fn buffer(&self) -> Option<MutexGuard<'_, Parcel>> {
        (0..TRIES).find_map(|turn| self.buffers[turn % 2].try_lock())
    }
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
    /// Empty buffers. The publisher sees to it that threads find one and need not allocate.
    spare: ArrayQueue<Vec<u8>>,
    /// The size of buffers: the most bytes that one has had.
    size: AtomicUsize,
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
            size: AtomicUsize::new(HEADER + 64 * usize::from(settings.buffer_records)),
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
        let Some(mut parcel) = worker.buffer() else {
            return self.lose(1, [shard].into_iter().collect(), counters);
        };
        let unless_written = Lost { outbox: self, shard, counters };
        let written = parcel.append(shard, write);
        std::mem::forget(unless_written);
        if written.is_err() {
            counters.oversized.add(1);
        }
        if parcel.is_full(self.limit) {
            self.hand_over(&mut parcel, counters);
        }
    }

    fn hand_over(&self, buffer: &mut Parcel, counters: &Counting) {
        if buffer.records == 0 {
            return;
        }
        // Relaxed: see `stock`.
        let room = || Vec::with_capacity(self.size.load(Ordering::Relaxed));
        let empty = Parcel { bytes: self.spare.pop().unwrap_or_else(room), ..Parcel::default() };
        let parcel = std::mem::replace(buffer, empty);
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
        self.flush_above(0, counters);
    }

    /// Hands this thread's buffers over that are worth a batch, unless others wait already: then they would fill
    /// the ring, and not come to the log any earlier. Never waits.
    pub fn flush_worthwhile(&self, counters: &Counting) {
        if self.ring.is_empty() {
            self.flush_above(WORTHWHILE.min(self.limit / 2), counters);
        }
    }

    fn flush_above(&self, least: u16, counters: &Counting) {
        let buffers = self.workers.get().into_iter().flat_map(|worker| &worker.buffers);
        let buffers = buffers.filter_map(Mutex::try_lock).filter(|parcel| parcel.records >= least);
        buffers.for_each(|mut parcel| self.hand_over(&mut parcel, counters));
    }

    /// For the publisher: hands over the buffers of all threads, of those that have ended too. Returns `false` if
    /// a thread was using one of them.
    pub fn collect(&self, counters: &Counting) -> bool {
        let mut complete = true;
        for buffer in self.workers.iter().flat_map(|worker| &worker.buffers) {
            match buffer.try_lock() {
                Some(mut parcel) => self.hand_over(&mut parcel, counters),
                None => complete = false,
            }
        }
        complete
    }

    /// Allocates buffers here and not on the packet path, and touches their memory: four for each thread.
    pub fn stock(&self) {
        let buffers = 4 * self.workers.iter().count();
        // Relaxed: it is as good as a hint.
        let size = self.size.load(Ordering::Relaxed);
        while self.spare.len() < buffers.min(self.spare.capacity()) {
            let mut bytes = Vec::with_capacity(size);
            bytes.resize(size, 1);
            self.recycle(bytes);
        }
    }

    /// For the publisher: what waits in the ring, as far as one batch takes it.
    pub fn pop(&self) -> Option<Parcel> {
        let mut parcel = self.ring.pop()?;
        // Relaxed: see `stock`.
        self.size.fetch_max(parcel.bytes.len(), Ordering::Relaxed);
        while parcel.takes_more()
            && let Some(next) = self.ring.pop()
        {
            parcel.absorb(&next);
            self.recycle(next.bytes);
        }
        Some(parcel)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClusterKey;
    use crate::record::MAX_BATCH;

    fn outbox(buffer_records: u16) -> Outbox {
        Outbox::new(&Settings::new(ClusterKey::new([1; 16])).buffer_records(buffer_records))
    }

    fn record(outbox: &Outbox, counters: &Counting, number: u32, bytes: usize) {
        for id in 0..number {
            outbox.record(ShardId::new(id as u8), counters, |batch| {
                batch.resize(batch.len() + bytes, id as u8);
                Ok(())
            });
        }
    }

    #[test]
    fn what_several_threads_have_recorded_is_one_batch() {
        let (outbox, counters) = (outbox(4), Counting::default());
        std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(|| record(&outbox, &counters, 10, 5))));
        });
        assert!(outbox.collect(&counters));
        let parcel = outbox.pop().unwrap();
        assert_eq!((parcel.records, parcel.bytes.len(), parcel.shards.len()), (30, HEADER + 150, 10));
        assert!(outbox.pop().is_none());
    }

    #[test]
    fn batches_have_their_bounds() {
        for (number, bytes) in [(1_000, 4_096), (40_000, 1)] {
            let (outbox, counters) = (outbox(4_096), Counting::default());
            // A small one first, behind which there is room.
            record(&outbox, &counters, 15, bytes);
            outbox.collect(&counters);
            record(&outbox, &counters, number, bytes);
            outbox.collect(&counters);
            let parcels: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
            assert!(parcels.len() > 1 && parcels.iter().all(|parcel| parcel.bytes.len() <= MAX_BATCH));
            let all = parcels.iter().map(|parcel| u32::from(parcel.records)).sum::<u32>();
            assert_eq!((all, counters.read().dropped), (number + 15, 0));
        }
    }

    #[test]
    fn the_publisher_allocates_and_threads_do_not() {
        let (outbox, counters) = (outbox(100), Counting::default());
        record(&outbox, &counters, 1, 30);
        outbox.collect(&counters);
        outbox.stock();
        for taken in 1..=3 {
            record(&outbox, &counters, 100, 30);
            assert_eq!(outbox.spare.len(), 4 - taken, "the next buffer is ready");
        }
    }

    #[test]
    fn a_few_records_are_left_to_the_publisher() {
        let (outbox, counters) = (outbox(512), Counting::default());
        record(&outbox, &counters, 63, 5);
        outbox.flush_worthwhile(&counters);
        assert_eq!(counters.read().recorded, 0);
        record(&outbox, &counters, 1, 5);
        outbox.flush_worthwhile(&counters);
        assert_eq!(counters.read().recorded, 64);
        record(&outbox, &counters, 64, 5);
        outbox.flush_worthwhile(&counters);
        assert_eq!(counters.read().recorded, 64, "others wait");
        outbox.pop().expect("the first ones");
        outbox.flush_worthwhile(&counters);
        assert_eq!(counters.read().recorded, 128);
    }
}
