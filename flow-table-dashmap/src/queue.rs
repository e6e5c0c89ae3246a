use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam::queue::SegQueue;
use flow_table_api::{KeyHasher, Status, Timestamp};
use priority_queue::PriorityQueue;

use crate::heap::{Entry, Heap, LockedQueue};
use crate::id::FlowId;
use crate::shared::Shared;
use crate::stats::Counts;
use crate::strong::Strong;
use crate::sync;

/// The flows that one thread inserted, whoever reinserts them: strong references, filed by deadline.
///
/// **Invariant**: an active flow has exactly one entry, in its `home`, filed no later than its deadline. Filing
/// and activation are one step under the lock, detaching and taking likewise. Other ended flows keep their entry
/// until somebody takes it. Who takes one owes the table one flow of its count, and the removal of the slots under
/// the entry's id.
pub(crate) struct Queue<K, V> {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared<K, V>>,
    pub(crate) counts: Counts,
    /// Whether a living thread files here.
    pub(crate) taken: Arc<AtomicBool>,
    heap: Mutex<Heap<K, V>>,
    /// The time that the first entry is filed under, or `u64::MAX`: a hint that saves taking the lock. `Relaxed`: it
    /// orders nothing, and who acts on it takes the lock. (Whoever takes a note lowers it before; the list of notes, which is
    /// looked at first, shows both in this order.)
    earliest: AtomicU64,
    /// Flows that ended without being due, or before a reap came: cancelled, or expired on the spot. May name
    /// flows that are gone or have come back, but no more of those than flows are here: see [`LockedQueue`].
    ended: SegQueue<FlowId>,
    sequence: AtomicU64,
}

impl<K, V> Queue<K, V> {
    /// Bytes of an entry: item, time and hash; its place in the hash table, at most seven of eight being used; its
    /// positions in the heap and back.
    pub(crate) const ENTRY_BYTES: usize =
        size_of::<(Entry<K, V>, Timestamp, u64)>() + 11 + size_of::<[usize; 2]>();

    /// Bytes of a note, in a list of blocks.
    const NOTE_BYTES: usize = size_of::<(FlowId, usize)>() + 1;

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
        LockedQueue::new(self, sync::lock(&self.heap))
    }

    /// Notes that `id` has ended. Takes no lock.
    pub(crate) fn note_end(&self, id: FlowId) {
        self.ended.push(id);
    }

    /// Whether there is a note.
    pub(crate) fn has_notes(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Takes one of the notes.
    pub(crate) fn next_note(&self) -> Option<FlowId> {
        self.ended.pop()
    }

    /// Takes down what the first entry is filed under.
    pub(crate) fn set_earliest(&self, filed: Option<Timestamp>) {
        self.earliest.store(filed.map_or(u64::MAX, Timestamp::as_nanos), Ordering::Relaxed);
    }

    /// The time before which a visit finds nothing; `None` if the queue is empty.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if self.has_notes() {
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
    pub(crate) fn active(&self) -> Vec<Strong<K, V>> {
        let heap = sync::lock(&self.heap);
        let flows = heap.iter().map(|(entry, _)| &entry.flow);
        flows.filter(|flow| flow.state.load().status == Status::Active).cloned().collect()
    }

    /// Bytes that the queue occupies, free entries included.
    pub(crate) fn memory(&self) -> usize {
        let entries = sync::lock(&self.heap).capacity() * Self::ENTRY_BYTES;
        size_of::<Self>() + entries + self.ended.len() * Self::NOTE_BYTES
    }

    /// Gives unused memory back.
    pub(crate) fn shrink_to_fit(&self) {
        sync::lock(&self.heap).shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use flow_table_api::{Budget, NewFlow, Table};

    use super::*;
    use crate::{FlowHandle, FlowTable};

    #[test]
    fn reinserting_without_ever_reaping_piles_nothing_up() {
        let table = FlowTable::<u64, ()>::new(4);
        let new = NewFlow::new(1, ()).timeout(Duration::from_secs(1));
        let flow = table.insert(new, Timestamp::ZERO).expect("there is room").flow;
        for second in (1..1_000).step_by(2) {
            assert!(table.lookup(&1, Timestamp::from_secs(second)).is_some(), "expired, but held");
            drop(table.reinsert(&flow, Timestamp::from_secs(second)).expect("it has expired"));
        }
        let queue = table.shared.registry.mine().expect("this thread has inserted");
        assert!(queue.ended.len() <= 2, "{} notes about one flow", queue.ended.len());
        let report = table.reap(Timestamp::from_secs(999), Budget::UNLIMITED);
        assert_eq!((report.expired, table.len()), (0, 1), "none of them is true");
    }

    /// A table whose flows 0 to `count` were inserted by a thread that has ended, and were expired by look-ups.
    fn expired(count: u64) -> (FlowTable<u64, ()>, Vec<FlowHandle<u64, ()>>) {
        let table = FlowTable::new(1_000);
        let insert = |key| {
            let new = NewFlow::new(key, ()).timeout(Duration::from_secs(1));
            table.insert(new, Timestamp::ZERO).expect("there is room").flow
        };
        let insert_all = || (0..count).map(insert).collect::<Vec<_>>();
        let flows = thread::scope(|scope| scope.spawn(insert_all).join()).expect("no panic");
        let found = (0..count).filter(|key| table.lookup(key, Timestamp::from_secs(1)).is_some());
        assert_eq!(found.count(), flows.len(), "expired, but held");
        (table, flows)
    }

    fn notes(table: &FlowTable<u64, ()>) -> usize {
        table.shared.registry.read(|queues| queues.iter().map(|queue| queue.ended.len()).sum())
    }

    #[test]
    fn notes_of_flows_that_another_thread_reinserts_do_not_stay() {
        let (table, flows) = expired(100);
        assert_eq!(notes(&table), 100);
        for flow in &flows {
            drop(table.reinsert(flow, Timestamp::from_secs(1)).expect("it has expired"));
        }
        assert_eq!(notes(&table), 0);
        assert!(table.reap(Timestamp::from_secs(1), Budget::UNLIMITED).visited() == 0, "all have come back");
    }

    #[test]
    fn notes_that_are_no_longer_true_take_of_the_budget() {
        let (table, flows) = expired(99);
        // Each absorbs two notes, of the oldest flows.
        for flow in flows.iter().rev().take(33) {
            drop(table.reinsert(flow, Timestamp::from_secs(1)).expect("it has expired"));
        }
        for left in [23, 13, 3] {
            let report = table.reap(Timestamp::from_secs(1), Budget::flows(10));
            assert_eq!((report.visited(), report.more, notes(&table)), (10, true, left));
        }
        let report = table.reap(Timestamp::from_secs(1), Budget::UNLIMITED);
        assert_eq!((report.expired, report.rescheduled, report.more), (66, 3, false));
    }

    #[test]
    fn memory_counts_notes() {
        let (table, flows) = expired(100);
        let with = table.memory();
        for flow in &flows {
            drop(table.reinsert(flow, Timestamp::from_secs(1)).expect("it has expired"));
        }
        assert!(table.memory() + 100 * size_of::<FlowId>() <= with);
    }

    #[test]
    fn what_was_noted_is_found_before_it_is_due() {
        let table = FlowTable::<u64, ()>::new(9);
        for key in 0..9 {
            let new = NewFlow::new(key, ()).timeout(Duration::from_secs(key));
            drop(table.insert(new, Timestamp::ZERO).expect("there is room"));
        }
        drop(table.lookup(&5, Timestamp::from_secs(5)));
        drop(table.lookup(&6, Timestamp::from_secs(6)));
        let inserted = table.insert(NewFlow::new(10, ()), Timestamp::ZERO).expect("one of them makes room");
        assert_eq!(inserted.made_room[0].flow.record().key, 5);
        // Filing the new flow has absorbed the other note, and not lost it.
        let mut reaped = Vec::new();
        table.reap_with(Timestamp::ZERO, Budget::UNLIMITED, |ended| reaped.push(ended.flow.record().key));
        reaped.sort_unstable();
        assert_eq!(reaped, [0, 6], "key 0 is due at zero");
        assert_eq!(table.next_deadline(), Some(Timestamp::from_secs(1)));
    }
}
