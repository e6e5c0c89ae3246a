use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::base::id::FlowId;
use crate::base::sync::{Arc, OnceLock};
use crate::flow::home::Shared;
use crate::flow::record::Record;
use crate::queue::queue::Queue;
use crate::queue::seats::Seat;

/// The queues of a table. It owns them. A thread only remembers which queue it uses. So the flows of a thread that
/// has ended are still found, and the next new thread continues with its queue.
pub(crate) struct Queues<K, V> {
    /// The number of the table, which is unique.
    table: u64,
    /// The queues never move, and threads find them without a lock. Those that exist come first.
    list: Box<[Place<K, V>]>,
}

/// The place of a queue. A queue has its own cache lines, because each is written by another thread.
type Place<K, V> = OnceLock<Box<CachePadded<Queue<K, V>>>>;

impl<K, V> Queues<K, V> {
    pub(crate) fn new() -> Self {
        static TABLES: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the number only has to be unique.
        let table = TABLES.fetch_add(1, Ordering::Relaxed);
        Self { table, list: (0..FlowId::QUEUES).map(|_| OnceLock::new()).collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Queue<K, V>> {
        self.list.iter().map_while(|place| Some(&***place.get()?))
    }

    #[inline]
    pub(crate) fn get(&self, number: usize) -> Option<&Queue<K, V>> {
        self.list[number].get().map(|queue| &***queue)
    }

    /// The queue that holds the flow as long as the table does.
    pub(crate) fn of(&self, flow: &Record<K, V>) -> &Queue<K, V> {
        self.get(flow.home.queue).expect("queues stay")
    }

    /// The calling thread's queue, if it has one.
    #[inline]
    pub(crate) fn mine(&self) -> Option<&Queue<K, V>> {
        self.get(Seat::find(self.table)?)
    }

    /// The calling thread's queue: the one that it has, or one that another thread has left, or a new one.
    #[inline]
    pub(crate) fn mine_or_claim(&self, shared: &Arc<Shared<K, Record<K, V>>>) -> &Queue<K, V> {
        self.mine().unwrap_or_else(|| self.claim(shared))
    }

    #[cold]
    fn claim(&self, shared: &Arc<Shared<K, Record<K, V>>>) -> &Queue<K, V> {
        for (number, place) in self.list.iter().enumerate() {
            let queue = place.get_or_init(|| Box::new(CachePadded::new(Queue::new(shared, number))));
            // Acquire: pairs with the Release in the drop of `Seat`.
            if !queue.taken.swap(true, Ordering::Acquire) {
                Seat { table: self.table, queue: number, taken: Arc::clone(&queue.taken) }.take();
                return queue;
            }
        }
        // There are more threads than ids can distinguish. They share the first queue.
        self.get(0).expect("all are there")
    }

    /// The bytes that the queues occupy, also their free entries.
    pub(crate) fn memory(&self) -> usize {
        let queue = |queue: &Queue<K, V>| size_of::<CachePadded<Queue<K, V>>>() + queue.memory();
        size_of_val(&*self.list) + self.iter().map(queue).sum::<usize>()
    }

    /// Gives unused memory back.
    pub(crate) fn shrink_to_fit(&self) {
        self.iter().for_each(Queue::shrink_to_fit);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Barrier;
    use std::thread;

    use flow_table_api::{NewFlow, Table, Timestamp};

    use super::*;
    use crate::FlowTable;

    fn put(table: &FlowTable<u64, ()>, key: u64) {
        drop(table.insert(NewFlow::new(key, ()), Timestamp::ZERO).expect("there is room"));
    }

    #[test]
    fn threads_at_once_have_a_queue_each_and_later_ones_take_over() {
        let table = FlowTable::<u64, ()>::new(1_000);
        for round in 0..10 {
            let barrier = Barrier::new(3);
            thread::scope(|scope| {
                let run = |thread: u64| {
                    let (table, barrier) = (&table, &barrier);
                    move || {
                        put(table, 10 * round + thread);
                        barrier.wait();
                    }
                };
                let threads: Vec<_> = (0..3).map(|thread| scope.spawn(run(thread))).collect();
                // The threads are joined, so that their locals are dropped, too. The end of the scope does not
                // guarantee that.
                threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            });
        }
        assert_eq!(table.core.queues.iter().count(), 3);
        assert_eq!(table.len(), 30);
    }

    #[test]
    fn more_threads_than_ids_can_tell_apart_share_a_queue() {
        let table = FlowTable::<u64, ()>::new(1);
        // Each time, the thread has no queue yet.
        let claim = || table.core.queues.claim(&table.core.shared).home.queue;
        assert!((0..FlowId::QUEUES).all(|index| claim() == index));
        assert_eq!((claim(), table.core.queues.iter().count()), (0, FlowId::QUEUES));
    }

    #[test]
    fn seats_in_tables_that_are_gone_are_forgotten() {
        for _ in 0..100 {
            put(&FlowTable::new(1), 1);
        }
        let table = FlowTable::new(1);
        put(&table, 1);
        assert_eq!(Seat::count(), 1);
        put(&FlowTable::new(1), 1);
        let other = FlowTable::new(1);
        put(&other, 1);
        assert_eq!(Seat::count(), 2, "those in tables that are there are not");
    }

    #[test]
    fn a_thread_may_insert_while_its_locals_are_dropped() {
        struct Last(Arc<FlowTable<u64, ()>>);
        impl Drop for Last {
            fn drop(&mut self) {
                put(&self.0, 2);
            }
        }
        thread_local! {
            static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
        }
        let table = Arc::new(FlowTable::new(9));
        for _ in 0..3 {
            let last = Last(Arc::clone(&table));
            let own = Arc::clone(&table);
            // Thread locals that are used first are dropped last, so this is dropped after the seats.
            let run = move || {
                LAST.set(Some(last));
                put(&own, 1);
            };
            thread::spawn(run).join().expect("no panic");
        }
        assert_eq!((table.len(), table.core.queues.iter().count()), (2, 1), "the queue was given up each time");
        drop(table.lookup(&2, Timestamp::ZERO).expect("inserted at the end of a thread"));
    }
}
