use std::sync::atomic::Ordering;

use flow_table_api::Timestamp;

use crate::core::Core;
use crate::flow::strong::Strong;
use crate::queue::filed::Visit;

/// Flows that one insertion may visit to make room.
const SEARCH: usize = 64;

impl<K, V> Core<K, V> {
    /// Counts one more flow, in a free place or in the place of an ended flow. The first candidate is `old`, whose
    /// key the new flow takes. Returns `true` if there is a place. The caller holds the stripe of `old`'s key.
    pub(crate) fn take_place(&self, now: Timestamp, old: Option<&Strong<K, V>>) -> bool {
        self.held.add_below() || old.is_some_and(|old| self.take_place_of(old)) || self.make_room(now)
    }

    /// Gives the place of an ended flow to a new one, however many flows are dying. So replacing is never refused.
    #[cold]
    fn take_place_of(&self, old: &Strong<K, V>) -> bool {
        let mut queue = self.queues.of(old).lock();
        let dies = old.id().is_some_and(|id| queue.let_die(id));
        // Relaxed, here and below: a count, which orders nothing.
        self.dying.fetch_add(usize::from(dies), Ordering::Relaxed);
        dies
    }

    /// Lets flows die that have ended or are due at `now`, until there is a place or a bounded search finds none
    /// (contract C2). More than one flow must die if the limit was lowered, or if other threads take the place.
    #[cold]
    fn make_room(&self, now: Timestamp) -> bool {
        let mut visits = SEARCH;
        while self.let_one_die(now, &mut visits) {
            if self.held.add_below() {
                return true;
            }
        }
        // A reap may have just taken the flow that was due. Then its place is free.
        self.held.add_below()
    }

    fn let_one_die(&self, now: Timestamp, visits: &mut usize) -> bool {
        if self.dying() >= self.held.limit() {
            return false;
        }
        for queue in self.queues.iter().filter(|queue| queue.has_due(now)) {
            let (mut queue, mut aside) = (queue.lock(), Vec::new());
            while *visits > 0 {
                *visits -= 1;
                match queue.visit_for_room(now, &mut aside) {
                    Visit::Ended(id) => {
                        queue.put_back(&mut aside);
                        let may_die = self.count_in_dying();
                        if may_die {
                            queue.let_die(id);
                            self.held.sub(1);
                        } else {
                            queue.advance(id);
                        }
                        return may_die;
                    }
                    Visit::Rescheduled => {}
                    Visit::Nothing => break,
                }
            }
            queue.put_back(&mut aside);
        }
        false
    }

    /// The number of dying flows.
    pub(crate) fn dying(&self) -> usize {
        self.dying.load(Ordering::Relaxed)
    }

    /// Counts one more dying flow, unless as many are dying as the table may hold flows.
    fn count_in_dying(&self) -> bool {
        let more = |dying: usize| (dying < self.held.limit()).then_some(dying + 1);
        self.dying.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Counts a flow that is not dying any more.
    pub(crate) fn count_out_dying(&self) {
        self.dying.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flow_table_api::{Budget, EndReason, Flow, InsertError, NewFlow, Table};

    use super::*;
    use crate::FlowTable;

    const DUE: Timestamp = Timestamp::from_secs(1);

    /// A table for ten flows with ten flows, of which four are due.
    fn full() -> FlowTable<u64, ()> {
        let table = FlowTable::new(10);
        for key in 0..10 {
            let timeout = Duration::from_secs(if key % 3 == 0 { 1 } else { 100 });
            let insert =
                || drop(table.insert(NewFlow::new(key, ()).timeout(timeout), Timestamp::ZERO).expect("room"));
            // From two threads, so into two queues.
            if key < 5 { insert() } else { std::thread::scope(|scope| drop(scope.spawn(insert).join())) }
        }
        table
    }

    /// The keys of the flows that a reap hands over, in order.
    fn reaped(table: &FlowTable<u64, ()>, budget: Budget) -> Vec<u64> {
        let mut keys = Vec::new();
        let report = table.reap_with(DUE, budget, |ended| {
            assert_eq!(ended.reason, EndReason::Expired);
            keys.push(*ended.flow.key());
        });
        assert_eq!((report.expired, report.visited()), (keys.len(), keys.len()));
        keys.sort_unstable();
        keys
    }

    #[test]
    fn a_lowered_limit_takes_as_many_as_are_too_many() {
        let table = full();
        table.set_capacity(8);
        assert!(table.insert(NewFlow::new(20, ()), DUE).is_ok(), "three of four make room");
        let stats = table.stats();
        assert_eq!((table.len(), stats.dying, stats.ended.expired), (8, 3, 3));
        assert_eq!(reaped(&table, Budget::UNLIMITED), [0, 3, 6, 9]);
        assert_eq!((table.len(), table.stats().dying), (7, 0));
    }

    #[test]
    fn if_not_enough_are_due_they_die_and_the_flow_is_refused() {
        let table = full();
        table.set_capacity(6);
        for _ in 0..3 {
            let refused = table.insert(NewFlow::new(20, ()), DUE);
            assert!(matches!(refused, Err(InsertError::Full { capacity: 6, .. })));
        }
        assert_eq!((table.len(), table.stats().refusals, table.stats().dying), (6, 3, 4));
        assert_eq!(reaped(&table, Budget::UNLIMITED), [0, 3, 6, 9]);
        assert!(table.insert(NewFlow::new(20, ()), DUE).is_err(), "six of six are live");
    }

    #[test]
    fn no_insertion_lets_more_die_than_the_search_visits() {
        let table = FlowTable::<u64, ()>::new(200);
        for key in 0..200 {
            let flow = NewFlow::new(key, ()).timeout(Duration::from_secs(1));
            drop(table.insert(flow, Timestamp::ZERO).expect("room"));
        }
        table.set_capacity(120);
        assert!(table.insert(NewFlow::new(200, ()), DUE).is_err());
        assert_eq!((table.len(), table.stats().dying), (200 - SEARCH, SEARCH));
        assert!(table.insert(NewFlow::new(200, ()), DUE).is_ok());
        assert_eq!((table.len(), table.stats().dying), (120, 81));
        assert_eq!(reaped(&table, Budget::UNLIMITED).len(), 200);
    }

    #[test]
    fn what_a_reap_takes_before_the_search_leaves_its_place() {
        let table = full();
        assert!(!table.core.held.add_below(), "ten of ten");
        assert_eq!(table.reap(DUE, Budget::UNLIMITED).expired, 4);
        assert!(table.core.make_room(DUE));
        assert_eq!((table.len(), table.stats().dying), (7, 0));
    }

    /// The search has taken the note about it.
    #[test]
    fn a_cancelled_flow_that_may_not_die_is_still_the_first() {
        let table = full();
        let held = table.lookup(&1, Timestamp::ZERO).expect("live");
        assert!(held.cancel());
        let queue = table.core.queues.of(held.record());
        assert!(matches!(queue.lock().visit(Timestamp::ZERO), Visit::Ended(id) if held.record().id() == Some(id)));
        queue.lock().advance(held.record().id().expect("in the table"));
        assert_eq!(table.reap(Timestamp::ZERO, Budget::UNLIMITED).cancelled, 1);
    }

    /// The flow has just ended, and the search does not find it.
    #[test]
    fn the_place_of_a_flow_that_was_to_be_replaced_passes_on_however_many_are_dying() {
        let table = full();
        (0..4).for_each(|key| assert!(table.insert(NewFlow::new(20 + key, ()), DUE).is_ok()));
        table.set_capacity(4);
        let old = table.lookup(&1, DUE).expect("live");
        assert!(old.cancel() && table.insert(NewFlow::new(30, ()), DUE).is_err());
        assert!(table.core.take_place(DUE, Some(old.record())));
        assert_eq!((table.len(), table.stats().dying), (10, 5));
        assert!(!table.core.take_place(DUE, Some(old.record())), "once");
    }

    #[test]
    fn the_search_is_bounded_and_gets_on() {
        let table = FlowTable::<u64, ()>::new(1_000);
        let insert = |key, seconds| {
            let flow = NewFlow::new(key, ()).timeout(Duration::from_secs(seconds));
            table.insert(flow, Timestamp::ZERO).expect("room").flow
        };
        let refreshed: Vec<_> = (0..999).map(|key| insert(key, 10)).collect();
        drop(insert(999, 20));
        for flow in &refreshed {
            flow.set_deadline(Timestamp::from_secs(1_000)).expect("live");
        }
        let now = Timestamp::from_secs(20);
        let tries = (1..100).find(|_| table.insert(NewFlow::new(5_000, ()), now).is_ok());
        assert!(tries.is_some_and(|tries| tries > 1), "one was due, behind 999 that are not: {tries:?}");
    }
}
