use flow_table_api::{Admission, Budget, EndReason, Flow, InsertError, ReinsertError, Status, Table};

use super::dying::ways_to_wait;
use crate::fixture::{Fixture, TestKey, assert_no_walk, at, race, rounds, secs};
use crate::{Backend, Setup, TestRef};

/// A full table refuses another flow with an error that contains the flow and the limit. No live flow is evicted.
pub fn a_full_table_refuses<B: Backend>(setup: Setup) {
    for capacity in [0, 1, 2, 17] {
        let table = Fixture::<B>::exactly(setup, capacity);
        assert_eq!(table.capacity(), capacity);
        let flows: Vec<_> = (0..capacity as u64).map(|key| table.put_pair(key, 100 + key, at(0))).collect();
        let results = [
            table.insert(table.flow(50), at(59)).map(drop),
            table.insert_if_absent(table.flow(50), at(59)).map(drop),
            table.get_or_insert_with(table.spec(50).reply(51.into()), at(59), || table.value()).map(drop),
        ];
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Err(InsertError::Full { flow, capacity: limit }) => {
                    assert_eq!((flow.value().serial(), limit), (capacity + index, capacity));
                }
                other => panic!("{other:?} in a table of {capacity}"),
            }
        }
        assert!(flows.iter().all(|flow| flow.status() == Status::Active), "a live flow was evicted");
        assert!(table.find(50, at(59)).is_none());
        assert_eq!((table.len(), table.stats().refusals), (capacity, 3));
    }
}

/// Replacing is allowed in a full table, and so is finding its flows.
pub fn a_full_table_still_replaces<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 2);
    drop((table.put(1, at(0)), table.put_pair(2, 3, at(0))));
    for key in [1, 2, 1] {
        let inserted = table.insert(table.flow(key), at(1)).expect("replacing needs no room");
        assert!(inserted.replaced.is_some());
    }
    let existing = table.insert_if_absent(table.flow(1), at(1)).expect("nothing to insert");
    assert!(matches!(existing, Admission::Existing { .. }));
    assert_eq!((table.len(), table.stats().refusals), (2, 0));
}

/// At capacity, an insertion first takes the place of a flow that has ended or is due, wherever that flow is. The
/// next reap hands that flow over.
pub fn a_full_table_makes_room<B: Backend>(setup: Setup) {
    type Insertion<B> = fn(&Fixture<B>) -> TestRef<B>;
    let insertions: [Insertion<B>; 3] = [
        |table| table.insert(table.flow(99), at(60)).expect("something may go").flow,
        |table| match table.insert_if_absent(table.pair(99, 98), at(60)).expect("something may go") {
            Admission::Inserted(flow) => flow,
            Admission::Existing { .. } => panic!("nothing is there"),
        },
        |table| match table.get_or_insert_with(table.spec(99), at(60), || table.value()).expect("something may go")
        {
            Admission::Inserted(flow) => flow,
            Admission::Existing { .. } => panic!("nothing is there"),
        },
    ];
    for (name, reason, wait) in ways_to_wait::<B>() {
        for insertion in insertions {
            let table = Fixture::<B>::exactly(setup, 10);
            let flows: Vec<_> = (0..10).map(|key| table.put_pair(key, 100 + key, at(0))).collect();
            for flow in &flows {
                assert!(*flow.key() == 3.into() || flow.refresh(at(50)));
            }
            wait(&table, &flows[3]);
            let inserted = insertion(&table);
            assert_eq!((table.len(), table.find(99, at(60))), (10, Some(inserted)), "{name}");
            assert_eq!((table.stats().dying, table.stats().ended.total()), (1, 1), "{name}");
            let mut ended = Vec::new();
            let report = table.reap_with(at(60), Budget::UNLIMITED, |end| ended.push((end.flow, end.reason)));
            assert_eq!(ended, [(flows[3].clone(), reason)], "{name}");
            assert_eq!(
                (report.expired + report.cancelled, table.len(), table.stats().dying),
                (1, 10, 0),
                "{name}"
            );
            let report = table.reap_all(at(60));
            assert_eq!((report.expired, report.cancelled), (0, 0), "{name}: handed over already");
            assert_eq!(table.stats().refusals, 0, "{name}");
        }
    }
}

/// A full table finds flows of any thread that are due, one after the other, until none is left.
pub fn room_is_made_until_nothing_is_due<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 20);
    race(4, |thread| {
        for key in 0..5 {
            let timeout = if key == 0 { secs(500) } else { secs(10) };
            drop(table.put_flow(table.flow(10 * thread as u64 + key).timeout(timeout), at(0)));
        }
    });
    for key in 0..16 {
        let inserted = table.insert(table.flow(1_000 + key), at(20)).expect("something is due");
        assert!(inserted.replaced.is_none());
        assert_eq!((table.len(), table.stats().dying as u64), (20, key + 1));
    }
    assert!(matches!(table.insert(table.flow(2_000), at(20)), Err(InsertError::Full { .. })));
    assert!((0..4).all(|thread| table.is_live(10 * thread, at(20))), "what was not due was evicted");
    let mut handed_over = 0;
    table.reap_with(at(20), Budget::UNLIMITED, |ended| {
        assert_eq!((ended.reason, ended.flow.timeout()), (EndReason::Expired, secs(10)));
        handed_over += 1;
    });
    assert_eq!((handed_over, table.len(), table.stats().dying), (16, 20, 0));
}

/// A failed or refused insertion takes no place away for good.
pub fn refusals_cost_no_place<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 3);
    let holder = table.put_pair(1, 2, at(0));
    for _ in 0..10 {
        assert!(matches!(table.insert(table.pair(9, 2), at(0)), Err(InsertError::Conflict { .. })));
        assert!(matches!(table.insert(table.pair(9, 9), at(0)), Err(InsertError::IdenticalKeys { .. })));
        assert!(matches!(table.insert_if_absent(table.pair(9, 1), at(0)), Ok(Admission::Existing { .. })));
        assert_eq!(table.reinsert(&holder, at(0)), Err(ReinsertError::Active));
        let existing = table.get_or_insert_with(table.spec(9).reply(2.into()), at(0), || table.value());
        assert!(matches!(existing, Ok(Admission::Existing { .. })));
    }
    assert_eq!((table.len(), table.stats().refusals), (1, 0));
    drop((table.put(3, at(0)), table.put(4, at(0))));
    assert!(matches!(table.insert(table.flow(5), at(0)), Err(InsertError::Full { .. })));
}

/// The limit can be moved while the table is in use. Lowering it below the number of flows evicts nothing.
pub fn the_limit_can_be_moved<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 1);
    drop(table.put(0, at(0)));
    table.set_capacity(4);
    for key in 1..4 {
        drop(table.put(key, at(0)));
    }
    table.set_capacity(2);
    assert_eq!((table.capacity(), table.len()), (2, 4));
    assert!((0..4).all(|key| table.is_live(key, at(0))), "lowering the limit evicts nothing");
    let mut left = 4;
    while left >= 2 {
        let refused = table.insert(table.flow(9), at(0));
        assert!(matches!(refused, Err(InsertError::Full { capacity: 2, .. })), "{left} flows are left");
        drop(table.insert(table.flow(left - 1), at(0)).expect("replacing is always allowed"));
        left -= 1;
        assert!(table.remove(&TestKey::from(left)).is_some());
    }
    drop(table.put(9, at(0)));
    assert_eq!(table.len(), 2);
    table.set_capacity(usize::MAX);
    drop(table.put(10, at(0)));
}

/// Operations that return the size of the table do not count its flows.
pub fn asking_the_size_does_not_walk_the_table<B: Backend>(setup: Setup) {
    assert_no_walk::<B>(setup, "len", |table| assert!(!table.is_empty() && table.len() <= table.capacity()));
    assert_no_walk::<B>(setup, "stats", |table| assert_eq!(table.stats().ended.total(), 0));
    assert_no_walk::<B>(setup, "next_deadline", |table| assert!(table.next_deadline().is_some()));
}

/// `reinsert` respects the limit like any insertion. A flow that still waits for a reap has its place.
pub fn reinsert_needs_room_too<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 1);
    let flow = table.put(1, at(0));
    assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
    drop(table.reinsert(&flow, at(60)).expect("it waits in the table: it needs no room"));
    assert_eq!((table.len(), table.stats().dying), (1, 0));
    assert_eq!(table.remove_flow(&flow), Ok(true));
    let other = table.put(2, at(60));
    assert_eq!(table.reinsert(&flow, at(60)), Err(ReinsertError::Full { capacity: 1 }));
    assert_eq!((flow.status(), table.len(), table.stats().refusals), (Status::Detached, 1, 1));
    drop(table.reinsert(&flow, at(120)).expect("the other flow is due"));
    assert_eq!((other.status(), table.len(), table.stats().dying), (Status::Expired, 1, 1));
    let mut ended = Vec::new();
    table.reap_with(at(120), Budget::UNLIMITED, |end| ended.push(end.flow));
    assert_eq!((ended, table.len()), (vec![other], 1));
}

/// While threads insert, remove and reap, the table never has more flows than its limit. In the end every place is
/// usable.
pub fn never_exceeded_under_a_race<B: Backend>(setup: Setup) {
    const CAPACITY: usize = 3;
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    for round in 0..rounds(100) {
        let full = race(4, |thread| {
            let mut full = 0;
            for step in 0..4 {
                let key = TestKey::new((10 * thread + step) as u64);
                match table.insert(table.flow(key), at(0)) {
                    Ok(inserted) => drop(inserted),
                    Err(InsertError::Full { .. }) => full += 1,
                    Err(other) => panic!("{other:?}"),
                }
                let len = table.len();
                assert!(len <= CAPACITY, "round {round}: {len} flows in a table for {CAPACITY}");
                if (round + step) % 3 == 0 {
                    drop(table.remove(&key));
                }
            }
            full
        });
        assert!(table.snapshot().len() <= CAPACITY, "round {round}");
        assert!(full.iter().sum::<usize>() > 0, "round {round}: sixteen flows in three places");
        let active = table.len();
        assert_eq!(table.retain(|_| false), active, "round {round}");
        let flows = [100, 101, 102].map(|key| table.put(key, at(0)));
        assert!(flows.iter().all(|flow| flow.cancel()));
        assert_eq!(table.reap_all(at(0)).cancelled, CAPACITY, "round {round}: places are lost");
    }
}
