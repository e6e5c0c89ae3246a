use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::sync::ShardedLock;

use crate::id::FlowId;
use crate::queue::Queue;
use crate::shared::Shared;
use crate::sync;

/// The queues of a table. It owns them; threads only remember which one is theirs, so the flows of a thread that
/// has ended are still found, and the next new thread goes on with its queue.
pub(crate) struct Registry<K, V> {
    table: u64,
    queues: ShardedLock<Vec<Arc<Queue<K, V>>>>,
}

/// A thread's queue in one table. Gives it up when the thread ends.
struct Seat {
    table: u64,
    index: usize,
    taken: Arc<AtomicBool>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Pairs with the Acquire of `Registry::claim`: the next thread sees the queue as this one left it.
        self.taken.store(false, Ordering::Release);
    }
}

thread_local! {
    static SEATS: RefCell<Vec<Seat>> = const { RefCell::new(Vec::new()) };
}

/// The queue that this thread has in `table`. None also while the thread's last locals are dropped.
fn seat_in(table: u64) -> Option<usize> {
    let find =
        |seats: &RefCell<Vec<Seat>>| seats.borrow().iter().find(|seat| seat.table == table).map(|seat| seat.index);
    SEATS.try_with(find).ok().flatten()
}

/// Remembers `seat`, and forgets those in tables that are gone.
fn take_seat(seat: Seat) {
    let remember = |seats: &RefCell<Vec<Seat>>| {
        let mut seats = seats.borrow_mut();
        seats.retain(|seat| Arc::strong_count(&seat.taken) > 1);
        seats.push(seat);
    };
    // While the thread's last locals are dropped the seat is given up at once, and the queue used all the same.
    let _ = SEATS.try_with(remember);
}

impl<K, V> Registry<K, V> {
    pub(crate) fn new() -> Self {
        static TABLES: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the number only has to be unique.
        Self { table: TABLES.fetch_add(1, Ordering::Relaxed), queues: ShardedLock::new(Vec::new()) }
    }

    /// The number of the table, like no other's.
    pub(crate) const fn table(&self) -> u64 {
        self.table
    }

    pub(crate) fn len(&self) -> usize {
        sync::read_sharded(&self.queues).len()
    }

    /// Calls `look` with the queues, which cannot change meanwhile: it must not insert.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&[Arc<Queue<K, V>>]) -> R) -> R {
        look(&sync::read_sharded(&self.queues))
    }

    pub(crate) fn get(&self, index: usize) -> Option<Arc<Queue<K, V>>> {
        self.read(|queues| queues.get(index).cloned())
    }

    /// The queues, one after the other, with the list of them free for a thread that comes meanwhile.
    pub(crate) fn each(&self) -> impl Iterator<Item = Arc<Queue<K, V>>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The calling thread's queue, if it has one.
    pub(crate) fn mine(&self) -> Option<Arc<Queue<K, V>>> {
        self.get(seat_in(self.table)?)
    }

    /// The calling thread's queue: the one it has, or one that a thread has left, or a new one.
    pub(crate) fn mine_or_claim(&self, shared: &Arc<Shared<K, V>>) -> Arc<Queue<K, V>> {
        self.mine().unwrap_or_else(|| self.claim(shared))
    }

    #[cold]
    fn claim(&self, shared: &Arc<Shared<K, V>>) -> Arc<Queue<K, V>> {
        let queue = {
            let mut queues = sync::write_sharded(&self.queues);
            // Acquire: pairs with the Release of `Seat::drop`.
            match queues.iter().find(|queue| !queue.taken.swap(true, Ordering::Acquire)) {
                Some(left) => Arc::clone(left),
                // More threads at once than ids can tell apart: they share the first queue.
                None if queues.len() == FlowId::QUEUES => return Arc::clone(&queues[0]),
                None => {
                    let queue = Arc::new(Queue::new(queues.len(), Arc::clone(shared)));
                    queues.push(Arc::clone(&queue));
                    queue
                }
            }
        };
        take_seat(Seat { table: self.table, index: queue.index, taken: Arc::clone(&queue.taken) });
        queue
    }

    /// Takes all queues out, which ends the circle of references between them and the table.
    pub(crate) fn close(&self) -> Vec<Arc<Queue<K, V>>> {
        std::mem::take(&mut *sync::write_sharded(&self.queues))
    }
}

#[cfg(test)]
mod tests {
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
                // Joined, so that their locals are gone too; the end of the scope alone does not tell.
                threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            });
        }
        assert_eq!(table.shared.registry.len(), 3);
        assert_eq!(table.len(), 30);
    }

    #[test]
    fn more_threads_than_ids_can_tell_apart_share_a_queue() {
        let table = FlowTable::<u64, ()>::new(1);
        // Each time as a thread that has none yet.
        let claim = || table.shared.registry.claim(&table.shared).index;
        assert!((0..FlowId::QUEUES).all(|index| claim() == index));
        assert_eq!((claim(), table.shared.registry.len()), (0, FlowId::QUEUES));
    }

    #[test]
    fn seats_in_tables_that_are_gone_are_forgotten() {
        for _ in 0..100 {
            put(&FlowTable::new(1), 1);
        }
        let table = FlowTable::new(1);
        put(&table, 1);
        assert_eq!(SEATS.with_borrow(Vec::len), 1);
        put(&FlowTable::new(1), 1);
        let other = FlowTable::new(1);
        put(&other, 1);
        assert_eq!(SEATS.with_borrow(Vec::len), 2, "those in tables that are there are not");
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
            // What is used first is dropped last: after the seats.
            let run = move || {
                LAST.set(Some(last));
                put(&own, 1);
            };
            thread::spawn(run).join().expect("no panic");
        }
        assert_eq!((table.len(), table.shared.registry.len()), (2, 1), "the queue was given up each time");
        drop(table.lookup(&2, Timestamp::ZERO).expect("inserted at the end of a thread"));
    }
}
