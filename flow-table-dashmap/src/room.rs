use std::sync::Arc;

use flow_table_api::Timestamp;

use crate::heap::{Taken, Visit};
use crate::queue::Queue;
use crate::shared::Shared;

impl<K, V> Shared<K, V> {
    /// Counts one flow more, and returns those that were let go for it: none unless the table is full. `None`:
    /// there is no room.
    pub(crate) fn make_room(&self, now: Timestamp) -> Option<Vec<Taken<K, V>>> {
        match self.held.add_below() {
            Ok(()) => Some(Vec::new()),
            Err(wanted) => self.make_room_of(wanted, now),
        }
    }

    /// Counts one flow more in the place of `wanted` flows that have ended or are due at `now`. They are taken and
    /// returned, or none if a bounded search does not find as many (contract C2).
    #[cold]
    fn make_room_of(&self, wanted: usize, now: Timestamp) -> Option<Vec<Taken<K, V>>> {
        let Some(taken) = self.registry.read(|queues| take_ended(wanted, now, queues)) else {
            // A reap may have taken what was due this moment: then its place is free.
            return self.held.add_below().is_ok().then(Vec::new);
        };
        // One of those taken makes way for the new flow; the others are no longer counted.
        self.held.sub(wanted - 1);
        Some(taken)
    }
}

/// Takes `wanted` flows that have ended or are due, or none: also if that would take too long.
fn take_ended<K, V>(wanted: usize, now: Timestamp, queues: &[Arc<Queue<K, V>>]) -> Option<Vec<Taken<K, V>>> {
    /// Flows to take, and likewise visits beyond those that find one.
    const SEARCH: usize = 64;
    if wanted > SEARCH {
        return None;
    }
    let mut taken = Vec::new();
    // Queues are locked in the order of the registry, and here alone more than one at a time.
    let mut locked = Vec::new();
    let mut search = SEARCH;
    for queue in queues.iter().filter(|queue| queue.has_due(now)) {
        if taken.len() == wanted || search == 0 {
            break;
        }
        let mut queue = queue.lock();
        while taken.len() < wanted && search > 0 {
            match queue.visit(now) {
                Visit::Ended(flow) => taken.push((locked.len(), flow)),
                Visit::Rescheduled => search -= 1,
                Visit::Nothing => break,
            }
        }
        locked.push(queue);
    }
    if taken.len() < wanted {
        for (queue, flow) in taken {
            locked[queue].put_back(flow);
        }
        return None;
    }
    Some(taken.into_iter().map(|(_, flow)| flow).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flow_table_api::{Budget, InsertError, NewFlow, Table};

    use super::*;
    use crate::FlowTable;

    const DUE: Timestamp = Timestamp::from_secs(1);

    /// Ten flows, four of them due, in a table for ten.
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

    #[test]
    fn a_lowered_limit_takes_as_many_as_are_too_many() {
        let table = full();
        table.set_capacity(8);
        let inserted = table.insert(NewFlow::new(20, ()), DUE).expect("three of four make room");
        assert_eq!((inserted.made_room.len(), table.len()), (3, 8));
        assert_eq!(table.reap(DUE, Budget::UNLIMITED).expired, 1);
    }

    #[test]
    fn if_not_enough_are_due_none_is_taken() {
        let table = full();
        table.set_capacity(6);
        for _ in 0..3 {
            let refused = table.insert(NewFlow::new(20, ()), DUE);
            assert!(matches!(refused, Err(InsertError::Full { capacity: 6, .. })));
        }
        assert_eq!((table.len(), table.stats().refusals), (10, 3));
        assert_eq!(table.reap(DUE, Budget::UNLIMITED).expired, 4, "put back, and handed over once");
        assert_eq!(table.insert(NewFlow::new(20, ()), DUE).map_err(|_| ()).err(), Some(()), "six of six are live");
    }

    #[test]
    fn a_limit_lowered_by_far_leaves_the_work_to_a_reap() {
        let table = FlowTable::<u64, ()>::new(200);
        for key in 0..200 {
            let flow = NewFlow::new(key, ()).timeout(Duration::from_secs(1));
            drop(table.insert(flow, Timestamp::ZERO).expect("room"));
        }
        table.set_capacity(10);
        assert!(table.insert(NewFlow::new(200, ()), DUE).is_err());
        assert_eq!(table.reap(DUE, Budget::UNLIMITED).expired, 200);
        assert!(table.insert(NewFlow::new(200, ()), DUE).is_ok());
    }

    #[test]
    fn what_a_reap_takes_before_the_search_leaves_its_place() {
        let table = full();
        let wanted = table.shared.held.add_below().expect_err("ten of ten");
        assert_eq!(table.reap(DUE, Budget::UNLIMITED).expired, 4);
        let made = table.shared.make_room_of(wanted, DUE);
        assert_eq!((made.map(|taken| taken.len()), table.len()), (Some(0), 7));
    }

    /// Setters at once cannot leave one limit told and another in force.
    #[test]
    fn the_limit_that_is_told_is_the_word_that_holds() {
        let table = full();
        for limit in [12, 11] {
            table.shared.held.set_limit(limit);
            assert_eq!(table.capacity(), limit);
        }
        table.set_capacity(10);
        assert_eq!(table.shared.held.add_below(), Err(1));
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
            table.set_deadline(flow, Timestamp::from_secs(1_000)).expect("live");
        }
        let now = Timestamp::from_secs(20);
        let tries = (1..100).find(|_| table.insert(NewFlow::new(5_000, ()), now).is_ok());
        assert!(tries.is_some_and(|tries| tries > 1), "one was due, behind 999 that are not: {tries:?}");
    }
}
