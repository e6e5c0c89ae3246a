//! Flows that have given up their places to others in a full table. They are dying, and the next reap hands them
//! over.

use std::time::Duration;

use flow_table_api::{Budget, EndReason, Flow, FlowRef, InsertError, ReinsertError, Status, Table, Timestamp};

use crate::fixture::{Dice, Fixture, TestKey, at, inject, race, rounds, secs, survive};
use crate::{Backend, Setup, TestRef};

type Wait<B> = fn(&Fixture<B>, &TestRef<B>);

/// Ways for a flow, inserted at 0 s, to become one that may give up its place at 60 s.
pub fn ways_to_wait<B: Backend>() -> [(&'static str, EndReason, Wait<B>); 4] {
    [
        ("due", EndReason::Expired, |_, _| {}),
        ("expired by a look-up", EndReason::Expired, |table, flow| drop(table.find(*flow.key(), at(60)))),
        ("cancelled", EndReason::Cancelled, |_, flow| assert!(flow.cancel())),
        ("shortened", EndReason::Expired, |_table, flow| {
            assert!(flow.refresh(at(59)));
            flow.set_deadline(at(60)).expect("live");
        }),
    ]
}

/// A full table of `flows` flows under the keys from 0 on, each of which has made room at 60 s for one under a key
/// from 10,000 on. Returns the dying flows.
fn all_die<B: Backend>(table: &Fixture<B>, flows: u64) -> Vec<TestRef<B>> {
    let dying: Vec<_> = (0..flows).map(|key| table.put_pair(key, 5_000 + key, at(0))).collect();
    for key in 0..flows {
        let inserted = table.insert(table.flow(10_000 + key), at(60)).expect("one is due");
        assert!(inserted.replaced.is_none());
    }
    assert_eq!((table.len() as u64, table.stats().dying as u64), (flows, flows));
    dying
}

/// Reaps at `now` within `budget`. Returns the numbers of the values that are handed over, in order.
fn reaped<B: Backend>(table: &Fixture<B>, now: Timestamp, budget: Budget) -> Vec<usize> {
    let mut serials = Vec::new();
    table.reap_with(now, budget, |ended| serials.push(ended.flow.value().serial()));
    serials.sort_unstable();
    serials
}

/// At most as many flows are dying at one time as the table may hold. Beyond that an insertion is refused, even if
/// flows are due, until a reap.
pub fn as_many_as_the_limit_may_die<B: Backend>(setup: Setup) {
    for capacity in [1, 2, 9] {
        let table = Fixture::<B>::exactly(setup, capacity as usize);
        drop(all_die(&table, capacity));
        for key in 0..3 {
            // All are due by now.
            let refused = table.insert(table.flow(20_000 + key), at(500));
            assert!(matches!(refused, Err(InsertError::Full { .. })), "{refused:?}: more than {capacity} die");
            assert!(matches!(table.insert_if_absent(table.flow(key), at(500)), Err(InsertError::Full { .. })));
        }
        assert_eq!((table.len() as u64, table.stats().dying as u64), (capacity, capacity));
        assert!(
            table.insert(table.flow(10_000), at(60)).is_ok_and(|new| new.replaced.is_some()),
            "replacing is allowed"
        );
        assert_eq!(reaped(&table, at(60), Budget::UNLIMITED).len() as u64, capacity);
        assert_eq!((table.len() as u64, table.stats().dying), (capacity, 0));
        drop(table.insert(table.flow(20_000), at(500)).expect("room may be made again"));
        assert_eq!((table.len() as u64, table.stats().dying), (capacity, 1));
        table.set_capacity(capacity as usize + 1);
        drop(table.insert(table.flow(30_000), at(500)).expect("there is a place"));
        assert_eq!(
            (table.len() as u64, table.stats().dying),
            (capacity + 1, 1),
            "no room is made where there is some"
        );
    }
}

/// Look-ups treat a dying flow like any flow that has ended. It cannot be ended or removed, and no iteration
/// visits it.
pub fn dying_flows_are_found_as_ended_ones<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 3);
    let flows = all_die(&table, 3);
    for flow in &flows {
        assert_eq!((flow.status(), flow.deadline(), flow.refresh(at(0))), (Status::Expired, at(60), false));
        assert_eq!(table.remove_flow(flow), Ok(false));
    }
    assert_eq!(table.find(1, at(60)).as_ref(), Some(&flows[1]), "somebody holds it");
    assert_eq!(table.find(5_001, at(60)).as_ref(), Some(&flows[1]), "by its other key too");
    assert!(
        !flows[0].cancel() && table.find(0, at(60)).is_none() && table.find(5_000, at(60)).is_none(),
        "hidden"
    );
    assert!(table.remove(&TestKey::from(2)).is_none() && table.find(5_002, at(60)).is_none(), "hidden");
    assert_eq!(table.snapshot().len(), 3, "what is active");
    let weak: Vec<_> = flows.iter().map(FlowRef::downgrade).collect();
    drop(flows);
    assert!(table.find(1, at(60)).is_none() && table.find(5_001, at(60)).is_none(), "only the table holds it");
    assert!(weak.iter().all(|weak| flow_table_api::WeakFlowRef::upgrade(weak).is_some()), "the table holds it");
    assert_eq!(reaped(&table, at(60), Budget::UNLIMITED), [0, 1, 2]);
    assert!(weak.iter().all(|weak| flow_table_api::WeakFlowRef::upgrade(weak).is_none()));
    assert_eq!(table.stats().ended.total(), 3, "each end counts once");
}

/// A dying flow that is put back needs a place. It is no longer dying, and is not handed over for its earlier end.
pub fn dying_flows_can_be_put_back<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 2);
    let flows = all_die(&table, 2);
    assert_eq!(table.reinsert(&flows[0], at(60)), Err(ReinsertError::Full { capacity: 2 }));
    assert_eq!((flows[0].status(), table.len(), table.stats().dying), (Status::Expired, 2, 2), "it still dies");
    assert!(table.remove(&TestKey::from(10_000)).is_some());
    drop(table.reinsert(&flows[0], at(60)).expect("there is a place"));
    assert_eq!((flows[0].status(), flows[0].deadline()), (Status::Active, at(120)));
    assert_eq!((table.len(), table.stats().dying), (2, 1));
    assert_eq!(table.find(5_000, at(61)).as_ref(), Some(&flows[0]));
    assert_eq!(reaped(&table, at(60), Budget::UNLIMITED), [1], "only for the end that was not taken back");
    assert_eq!(reaped(&table, at(120), Budget::UNLIMITED), [0, 3], "its next end is handed over");
    assert_eq!((table.len(), table.stats().dying, table.stats().ended.expired), (0, 0, 4));

    // A flow that is due makes room for it. It is no longer dying, but the other one is.
    let table = Fixture::<B>::exactly(setup, 2);
    let flow = table.put(0, at(0));
    drop((table.put(1, at(50)), table.insert(table.flow(2), at(60)).expect("flow 0 is due")));
    drop(table.reinsert(&flow, at(110)).expect("flow 1 is due"));
    assert_eq!((table.len(), table.stats().dying, flow.deadline()), (2, 1, at(170)));
    assert_eq!(reaped(&table, at(60), Budget::UNLIMITED), [1]);
}

/// A flow that has ended and still has its place is put back in that place, also while the largest allowed number
/// of flows is dying.
pub fn what_has_its_place_keeps_it<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 2);
    drop(all_die(&table, 2));
    let flow = table.find(10_001, at(60)).expect("live");
    assert_eq!(table.status_of(10_001, at(120)), Some(Status::Expired));
    assert_eq!((table.len(), table.stats().dying), (2, 2));
    drop(
        table
            .reinsert(&flow, at(120))
            .expect("it has its place, though the table is full, and no more flows may die"),
    );
    assert_eq!((table.len(), table.stats().dying, flow.deadline()), (2, 2, at(180)));
    assert_eq!(reaped(&table, at(60), Budget::UNLIMITED), [0, 1]);
}

/// Each dying flow takes one visit of a reap's budget, at any `now`. A reap that leaves some reports it.
pub fn dying_flows_keep_to_the_budget<B: Backend>(setup: Setup) {
    const FLOWS: u64 = 100;
    for local in [false, true] {
        let table = Fixture::<B>::exactly(setup, FLOWS as usize);
        drop(all_die(&table, FLOWS));
        let (mut left, mut seen) = (FLOWS as usize, Vec::new());
        for budget in [0, 1, 10, 30, 500] {
            let mut serials = |ended: flow_table_api::Ended<TestRef<B>>| seen.push(ended.flow.value().serial());
            let report = match local {
                // Even an older `now` will do.
                false => table.reap_with(Timestamp::ZERO, Budget::flows(budget), &mut serials),
                true => table.reap_local_with(Timestamp::ZERO, Budget::flows(budget), &mut serials),
            };
            assert!(report.visited() <= budget, "{report:?} of {budget}");
            left -= report.expired;
            assert_eq!(
                (report.cancelled, report.more, table.stats().dying),
                (0, left > 0, left),
                "{report:?} of {budget}"
            );
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..FLOWS as usize), "each is handed over once");
        assert_eq!((left, table.len() as u64), (0, FLOWS));
    }
}

/// While a flow is dying, a reap has something to do, although the table may be empty. Its memory counts.
pub fn dying_flows_are_work_that_waits<B: Backend>(setup: Setup) {
    const FLOWS: u64 = if cfg!(miri) { 50 } else { 2_000 };
    let table = Fixture::<B>::exactly(setup, FLOWS as usize);
    drop(all_die(&table, FLOWS));
    assert_eq!(table.next_deadline(), Some(Timestamp::ZERO));
    assert_eq!(table.retain(|_| false) as u64, FLOWS);
    assert_eq!((table.len(), table.is_empty(), table.stats().dying as u64), (0, true, FLOWS));
    assert_eq!(table.next_deadline(), Some(Timestamp::ZERO), "though nothing has a place");
    table.shrink_to_fit();
    let least = FLOWS as usize * size_of::<crate::TestValue>();
    assert!(table.memory() >= least, "{} bytes for {FLOWS} flows", table.memory());
    assert_eq!(reaped(&table, at(0), Budget::UNLIMITED).len() as u64, FLOWS);
    assert_eq!((table.next_deadline(), table.ledger().dropped() as u64), (None, 2 * FLOWS));
}

/// The drop of the table drops dying flows, with a handle or without.
pub fn the_table_drops_those_that_die<B: Backend>(setup: Setup) {
    for held in [false, true] {
        let table = Fixture::<B>::exactly(setup, 10);
        let mut flows = all_die(&table, 10);
        flows.truncate(if held { 10 } else { 0 });
        let ledger = table.close();
        assert_eq!(ledger.dropped(), if held { 10 } else { 20 });
        assert!(flows.iter().all(|flow| flow.status() == Status::Expired && !flow.cancel()));
        drop(flows);
        assert_eq!(ledger.faults(), [""; 0]);
    }
}

/// After the limit was lowered, several flows must give up their places before one can be inserted. All are handed
/// over.
pub fn a_lowered_limit_takes_several_places<B: Backend>(setup: Setup) {
    for (before, limit) in [(10, 8), (6, 3), (4, 2)] {
        let table = Fixture::<B>::exactly(setup, before as usize);
        (0..before).for_each(|key| drop(table.put(key, at(0))));
        table.set_capacity(limit as usize);
        assert!(table.insert(table.flow(99), at(59)).is_err(), "nothing is due");
        assert_eq!((table.len() as u64, table.stats().dying), (before, 0));
        // The search may be a bounded one: then another one follows.
        let (mut inserted, mut seen, mut refusals) = (false, Vec::new(), 1);
        for _ in 0..before {
            match table.insert(table.flow(99), at(60)) {
                Ok(_) => {
                    inserted = true;
                    break;
                }
                Err(InsertError::Full { capacity, .. }) => assert_eq!(capacity as u64, limit),
                Err(other) => panic!("{other:?}"),
            }
            refusals += 1;
            assert!(table.stats().dying as u64 <= limit, "more than the limit in force die");
            seen.extend(reaped(&table, at(0), Budget::UNLIMITED));
        }
        assert!(inserted && table.len() as u64 <= limit, "{before} flows, all due, and a limit of {limit}");
        let mut stats = table.stats();
        assert!(stats.dying as u64 <= limit && stats.refusals == refusals, "{stats:?}");
        seen.extend(reaped(&table, at(60), Budget::UNLIMITED));
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..before as usize), "each is handed over once");
        stats = table.stats();
        assert_eq!((stats.flows, stats.dying, stats.ended.expired), (1, 0, before));
    }
}

/// If the callback of a reap panics, the dying flow that it received is gone, and the others wait for the next
/// reap.
pub fn a_reap_of_the_dying_survives_its_callback<B: Backend>(setup: Setup) {
    for budget in [Budget::UNLIMITED, Budget::flows(3)] {
        let table = Fixture::<B>::exactly(setup, 12);
        drop(all_die(&table, 12));
        let mut seen = Vec::new();
        for _ in 0..40 {
            let _ = survive(|| {
                table.reap_with(at(60), budget, |ended| {
                    seen.push(ended.flow.value().serial());
                    if seen.len() % 2 == 1 {
                        inject();
                    }
                })
            });
            assert_eq!(
                (table.len(), table.stats().dying),
                (12, 12 - seen.len()),
                "of those that were not given to it"
            );
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..12), "each flow is handed over once");
    }
}

/// A case from the field: a table for 100 flows, 20 new ones a second that live for 3 s, a reap every 10 s, and
/// code that takes the new flow from the result of an insertion and drops the rest. Each flow has a record, or was
/// refused.
pub fn no_record_is_lost_by_who_ignores_results<B: Backend>(setup: Setup) {
    const FLOWS: u64 = if cfg!(miri) { 1_000 } else { 20_000 };
    const NEW_EACH_SECOND: u64 = 20;
    let table = Fixture::<B>::exactly(setup, 100);
    let ((mut refused, mut made_room), mut records) = ((0, 0), Vec::new());
    for flow in 0..FLOWS {
        let now = at(0) + Duration::from_secs(1) * u32::try_from(flow / NEW_EACH_SECOND).expect("few");
        let new = table.pair(flow, FLOWS + flow).timeout(secs(3));
        let inserted = match flow % 3 {
            0 => table.insert(new, now).map(|inserted| inserted.flow),
            1 => table.insert_if_absent(new, now).map(flow_table_api::Admission::into_flow),
            _ => table
                .get_or_insert_with(table.spec(flow).timeout(secs(3)), now, || new.into_parts().value)
                .map(flow_table_api::Admission::into_flow),
        };
        match inserted {
            Ok(new) => assert!(new.is_live(now)),
            Err(InsertError::Full { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert!(table.len() <= 100);
        if flow % (10 * NEW_EACH_SECOND) == 10 * NEW_EACH_SECOND - 1 {
            made_room += table.stats().dying;
            table.reap_with(now, Budget::UNLIMITED, |ended| records.push(ended.flow.value().serial()));
        }
    }
    table.reap_with(Timestamp::MAX, Budget::UNLIMITED, |ended| records.push(ended.flow.value().serial()));
    assert!(made_room > 0, "the table was never full");
    assert_eq!((records.len() as u64 + refused, table.stats().refusals), (FLOWS, refused));
    records.sort_unstable();
    assert!(records.windows(2).all(|pair| pair[0] != pair[1]), "a flow has two records");
}

/// Threads insert into a full table in which all flows are due soon, put flows back, and reap. Each end is handed
/// over once, no more flows are dying than allowed, and no place is lost.
pub fn a_race_for_room_loses_nothing<B: Backend>(setup: Setup) {
    const CAPACITY: usize = 6;
    const THREADS: usize = 4;
    let table = Fixture::<B>::exactly(setup, CAPACITY);
    for round in 0..rounds(40) {
        let began = 1_000 * round as u64;
        let seen = race(THREADS, |thread| {
            let (mut dice, mut seen, mut held) = (Dice::new(round, thread), Vec::new(), Vec::new());
            for step in 0..40 {
                let (key, now) = (100 * thread as u64 + step, at(began + step));
                match table.insert(table.flow(key).timeout(secs(3)), now) {
                    Ok(inserted) => held.push(inserted.flow),
                    Err(InsertError::Full { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
                if dice.below(3) == 0 {
                    let _ = held.pop().map(|flow| flow.cancel());
                }
                if dice.below(4) == 0 {
                    let budget = Budget::flows(dice.below(4));
                    table.reap_with(now, budget, |ended| seen.push(ended.flow.value().serial()));
                }
                let stats = table.stats();
                assert!(table.len() <= CAPACITY && stats.dying <= CAPACITY, "round {round}: {stats:?}");
            }
            seen
        });
        let mut seen: Vec<_> = seen.into_iter().flatten().collect();
        table.reap_with(Timestamp::MAX, Budget::UNLIMITED, |ended| seen.push(ended.flow.value().serial()));
        let stats = table.stats();
        assert_eq!((stats.flows, stats.dying), (0, 0), "round {round}");
        assert_eq!(stats.inserts, stats.ended.total(), "round {round}");
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "round {round}: handed over twice");
        let after: Vec<_> = (0..CAPACITY as u64).map(|key| table.put(10_000 + key, at(began))).collect();
        assert!(after.iter().all(|flow| table.remove_flow(flow) == Ok(true)), "round {round}: a place is lost");
        assert_eq!(table.ledger().made(), table.ledger().dropped() + after.len(), "round {round}");
    }
}
