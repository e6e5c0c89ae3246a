use std::borrow::Borrow;
use std::cmp::Reverse;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crossbeam::queue::SegQueue;
use flow_table_api::state::Expiry;
use flow_table_api::{EndReason, KeyHasher, Status, Timestamp};
use priority_queue::PriorityQueue;

use crate::flow::Record;
use crate::id::FlowId;
use crate::shared::Shared;
use crate::stats::Counts;
use crate::sync;

/// The flows that one thread inserted: strong references, filed by deadline.
///
/// **Invariant**: an active flow has exactly one entry, in the queue that its [`FlowId`] names, filed no later than
/// its deadline. Filing and activation are one step under the lock, detaching and taking likewise. Other ended flows
/// keep their entry until somebody takes it. Who takes one owes the table one flow of its count, and the removal of
/// the slots under the entry's id.
pub(crate) struct Queue<K, V> {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared<K, V>>,
    pub(crate) counts: Counts,
    /// Whether a living thread files here.
    pub(crate) taken: Arc<AtomicBool>,
    heap: Mutex<Heap<K, V>>,
    /// The time that the first entry is filed under, or `u64::MAX`: a hint that saves taking the lock. `Relaxed`: it
    /// orders nothing, and who acts on it takes the lock.
    earliest: AtomicU64,
    /// Flows that ended without being due, or before a reap came: cancelled, or expired on the spot. May name flows
    /// that are gone or have come back.
    ended: SegQueue<FlowId>,
    sequence: AtomicU64,
}

type Heap<K, V> = PriorityQueue<Entry<K, V>, Reverse<Timestamp>, KeyHasher>;

/// A flow in a queue. Equal by id: the key plays no part.
struct Entry<K, V> {
    id: FlowId,
    flow: Arc<Record<K, V>>,
}

/// A flow that has been taken out of its queue.
pub(crate) struct Taken<K, V> {
    pub(crate) id: FlowId,
    pub(crate) flow: Arc<Record<K, V>>,
    pub(crate) reason: EndReason,
}

/// What a visit to a queue came to.
pub(crate) enum Visit<K, V> {
    /// A flow that has ended.
    Ended(Taken<K, V>),
    /// A flow that a refresh had moved was filed again.
    Rescheduled,
    /// Nothing is due.
    Nothing,
}

/// A queue whose lock is held.
pub(crate) struct LockedQueue<'q, K, V> {
    queue: &'q Queue<K, V>,
    heap: MutexGuard<'q, Heap<K, V>>,
}

impl<K, V> Hash for Entry<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl<K, V> PartialEq for Entry<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<K, V> Eq for Entry<K, V> {}

impl<K, V> Borrow<FlowId> for Entry<K, V> {
    fn borrow(&self) -> &FlowId {
        &self.id
    }
}

impl<K, V> Queue<K, V> {
    /// Bytes of an entry: item, time and hash; its place in the hash table, at most seven of eight being used; its
    /// positions in the heap and back.
    const ENTRY_BYTES: usize = size_of::<(Entry<K, V>, Timestamp, u64)>() + 11 + size_of::<[usize; 2]>();

    /// An empty queue, taken by the calling thread.
    pub(crate) fn new(index: usize, shared: Arc<Shared<K, V>>) -> Self {
        Self {
            index,
            shared,
            counts: Counts::default(),
            taken: Arc::new(AtomicBool::new(true)),
            heap: Mutex::new(PriorityQueue::with_hasher(KeyHasher::random())),
            earliest: AtomicU64::new(u64::MAX),
            ended: SegQueue::new(),
            sequence: AtomicU64::new(1),
        }
    }

    /// A new id that names this queue.
    pub(crate) fn next_id(&self) -> FlowId {
        // Relaxed: ids are unique, and that is all.
        FlowId::new(self.sequence.fetch_add(1, Ordering::Relaxed), self.index)
    }

    pub(crate) fn lock(&self) -> LockedQueue<'_, K, V> {
        LockedQueue { queue: self, heap: sync::lock(&self.heap) }
    }

    /// Leaves word that `id` has ended. Takes no lock.
    pub(crate) fn note_end(&self, id: FlowId) {
        self.ended.push(id);
    }

    /// The time before which a visit finds nothing; `None` if the queue is empty.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if !self.ended.is_empty() {
            return Some(Timestamp::ZERO);
        }
        match self.earliest.load(Ordering::Relaxed) {
            u64::MAX => None,
            nanos => Some(Timestamp::from_nanos(nanos)),
        }
    }

    /// Whether a visit at `now` would find something.
    #[inline]
    pub(crate) fn has_due(&self, now: Timestamp) -> bool {
        self.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Handles to all active flows.
    pub(crate) fn active(&self) -> Vec<Arc<Record<K, V>>> {
        let locked = self.lock();
        let active = locked.heap.iter().filter(|(entry, _)| entry.flow.state.load().status == Status::Active);
        active.map(|(entry, _)| Arc::clone(&entry.flow)).collect()
    }

    /// Bytes that the queue occupies, free entries included.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.lock().heap.capacity() * Self::ENTRY_BYTES
    }

    /// Gives unused memory back.
    pub(crate) fn shrink_to_fit(&self) {
        self.lock().heap.shrink_to_fit();
    }
}

impl<K, V> LockedQueue<'_, K, V> {
    /// Files the flow under `deadline` and makes it active.
    ///
    /// A flow comes back or goes in only under the stripes of its keys, and neither an active nor a cancelled one gets
    /// here, so nobody can come between.
    pub(crate) fn activate(&mut self, id: FlowId, flow: &Arc<Record<K, V>>, deadline: Timestamp) {
        self.absorb_ends();
        flow.options.set_own(Record::<K, V>::QUEUED);
        flow.home.counts.inserts.add();
        self.heap.push(Entry { id, flow: Arc::clone(flow) }, Reverse(deadline));
        let activated = flow.state.activate(deadline);
        debug_assert_eq!(activated, Ok(()), "only the holder of the stripes activates");
    }

    /// Files a flow that [`visit`](Self::visit) gave again, for the next reap to find at once.
    pub(crate) fn put_back(&mut self, taken: Taken<K, V>) {
        let Taken { id, flow, .. } = taken;
        flow.options.set_own(Record::<K, V>::QUEUED);
        self.heap.push(Entry { id, flow }, Reverse(Timestamp::ZERO));
    }

    /// Moves two ended flows to the front. Each filing leads to at most one word about an end, so a table that
    /// reinserts and never reaps keeps no more of them than flows.
    fn absorb_ends(&mut self) {
        for _ in 0..2 {
            let Some(id) = self.queue.ended.pop() else { return };
            if self.heap.get(&id).is_some_and(|(entry, _)| end_reason(&entry.flow).is_some()) {
                self.heap.change_priority(&id, Reverse(Timestamp::ZERO));
            }
        }
    }

    /// Detaches an active flow and takes it; whether this call did.
    pub(crate) fn detach(&mut self, id: FlowId, flow: &Record<K, V>) -> bool {
        // The caller keeps the flow alive, so nothing is dropped under the lock.
        flow.state.detach() && self.take(id).is_some()
    }

    /// Takes a flow that is not active.
    pub(crate) fn take(&mut self, id: FlowId) -> Option<Arc<Record<K, V>>> {
        let (entry, _) = self.heap.remove(&id)?;
        entry.flow.options.clear_own(Record::<K, V>::QUEUED);
        Some(entry.flow)
    }

    /// Looks for one flow that has ended or is due at `now`, and takes it.
    pub(crate) fn visit(&mut self, now: Timestamp) -> Visit<K, V> {
        while let Some(id) = self.queue.ended.pop() {
            let ended = self.heap.get(&id).and_then(|(entry, _)| end_reason(&entry.flow));
            if let Some(visit) = ended.and_then(|reason| self.take_ended(id, reason)) {
                return visit;
            }
        }
        let Some((entry, &Reverse(filed))) = self.heap.peek() else { return Visit::Nothing };
        if now < filed {
            return Visit::Nothing;
        }
        let id = entry.id;
        let reason = match entry.flow.expire(now) {
            Expiry::NotDue(deadline) => {
                self.heap.change_priority(&id, Reverse(deadline));
                return Visit::Rescheduled;
            }
            Expiry::NotActive(Status::Cancelled) => EndReason::Cancelled,
            Expiry::Expired | Expiry::NotActive(_) => EndReason::Expired,
        };
        self.take_ended(id, reason).unwrap_or(Visit::Nothing)
    }

    fn take_ended(&mut self, id: FlowId, reason: EndReason) -> Option<Visit<K, V>> {
        self.take(id).map(|flow| Visit::Ended(Taken { id, flow, reason }))
    }

    /// Files the flow under its own deadline if it stands behind that.
    pub(crate) fn advance(&mut self, id: FlowId) {
        if let Some((entry, &Reverse(filed))) = self.heap.get(&id) {
            let deadline = entry.flow.state.load().deadline;
            if deadline < filed {
                self.heap.change_priority(&id, Reverse(deadline));
            }
        }
    }

    /// Takes all flows.
    pub(crate) fn drain(&mut self) -> Vec<(FlowId, Arc<Record<K, V>>)> {
        let entries = self.heap.drain().map(|(entry, _)| (entry.id, entry.flow)).collect();
        self.heap.shrink_to_fit();
        entries
    }
}

impl<K, V> Drop for LockedQueue<'_, K, V> {
    fn drop(&mut self) {
        let earliest = self.heap.peek().map_or(u64::MAX, |(_, Reverse(filed))| filed.as_nanos());
        self.queue.earliest.store(earliest, Ordering::Relaxed);
    }
}

/// Why a flow that waits for a reap has ended; `None` for an active one.
fn end_reason<K, V>(flow: &Record<K, V>) -> Option<EndReason> {
    match flow.state.load().status {
        Status::Expired => Some(EndReason::Expired),
        Status::Cancelled => Some(EndReason::Cancelled),
        Status::Active | Status::Detached => None,
    }
}
