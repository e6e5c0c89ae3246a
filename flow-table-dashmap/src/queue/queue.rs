use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flow_table_api::Timestamp;

use crate::base::id::FlowId;
use crate::base::sync::{self, Arc, Mutex, MutexGuard};
use crate::flow::home::Shared;
use crate::flow::record::{Home, Record};
use crate::queue::filed::Filed;

/// The flows that one thread inserted, even if another thread reinserts them.
///
/// **Invariant**: an active flow has exactly one entry in the heap of its queue, filed no later than its deadline,
/// unless a reap asks about it.
/// Filing and activation are one step under the lock, and so are detaching and taking. Other ended flows keep
/// their entry until a thread takes it, which then lowers the table's count by one, or until the entry is moved to
/// the dying list and its place in the count goes to another flow.
pub(crate) struct Queue<K, V> {
    pub(crate) home: Arc<Home<K, V>>,
    /// Whether a living thread uses this queue.
    pub(crate) taken: Arc<AtomicBool>,
    filed: Mutex<Filed<K, V>>,
    sequence: AtomicU64,
}

/// A queue whose lock is held.
pub(crate) struct LockedQueue<'q, K, V>(MutexGuard<'q, Filed<K, V>>);

impl<K, V> Queue<K, V> {
    /// An empty queue that no thread has taken.
    pub(crate) fn new(shared: &Arc<Shared<K, Record<K, V>>>, number: usize) -> Self {
        let home = Arc::new(Home::new(shared, number));
        let filed = Mutex::new(Filed::new(Arc::clone(&home)));
        Self { home, taken: Arc::default(), filed, sequence: AtomicU64::new(1) }
    }

    /// A new id that names this queue.
    pub(crate) fn next_id(&self) -> FlowId {
        // Relaxed: ids must only be unique.
        FlowId::new(self.sequence.fetch_add(1, Ordering::Relaxed), self.home.queue)
    }

    pub(crate) fn lock(&self) -> LockedQueue<'_, K, V> {
        LockedQueue(sync::lock(&self.filed))
    }

    /// Returns `true` if a visit at `now` would find something.
    #[inline]
    pub(crate) fn has_due(&self, now: Timestamp) -> bool {
        self.home.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The bytes that the queue has allocated, also for free entries.
    pub(crate) fn memory(&self) -> usize {
        self.lock().memory() + size_of::<Home<K, V>>() + self.home.noted.len() * Home::<K, V>::NOTE_BYTES
    }

    /// Gives unused memory back.
    pub(crate) fn shrink_to_fit(&self) {
        self.lock().shrink_to_fit();
    }
}

impl<K, V> Deref for LockedQueue<'_, K, V> {
    type Target = Filed<K, V>;

    fn deref(&self) -> &Filed<K, V> {
        &self.0
    }
}

impl<K, V> DerefMut for LockedQueue<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Filed<K, V> {
        &mut self.0
    }
}

impl<K, V> Drop for LockedQueue<'_, K, V> {
    fn drop(&mut self) {
        self.0.hint();
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
        let queue = table.core.queues.mine().expect("this thread has inserted");
        assert!(queue.home.noted.len() <= 2, "{} notes about one flow", queue.home.noted.len());
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
        table.core.queues.iter().map(|queue| queue.home.noted.len()).sum()
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
        // Each insertion absorbs two notes, of the oldest flows.
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
        assert!(table.insert(NewFlow::new(10, ()), Timestamp::ZERO).is_ok(), "one of them makes room");
        // The filing of the new flow has absorbed the other note and not lost it.
        let mut reaped = Vec::new();
        table.reap_with(Timestamp::ZERO, Budget::UNLIMITED, |ended| reaped.push(ended.flow.record().key));
        assert_eq!(reaped.first(), Some(&5), "the dying come first");
        reaped.sort_unstable();
        assert_eq!(reaped, [0, 5, 6], "key 0 is due at zero");
        assert_eq!(table.next_deadline(), Some(Timestamp::from_secs(1)));
    }
}
