use flow_table_api::{Direction, Flow, FlowRef, OnExpiry, Status, Table};

use crate::fixture::{Fixture, Meeting, TIMEOUT, TestKey, at, race};
use crate::{Backend, Setup};

/// Look-up finds the flow under its key and nothing under others, also not under keys that collide.
pub fn finds_the_flow_under_its_key<B: Backend>(setup: Setup) {
    for make in [TestKey::new, TestKey::colliding] {
        let table = Fixture::<B>::new(setup, 100);
        let flows: Vec<_> = (0..100).map(|id| table.put(make(id), at(0))).collect();
        for (id, flow) in (0..).zip(&flows) {
            let found = table.find(make(id), at(1)).expect("a live flow is found");
            assert_eq!((&found, found.direction()), (flow, Direction::Forward));
            assert_eq!(found.value().serial(), flow.value().serial());
        }
        for id in 100..200 {
            assert_eq!(table.find(make(id), at(1)), None, "nothing is there");
        }
    }
}

/// A look-up past the deadline expires the flow at once, without any reap, and counts that.
pub fn expires_what_is_due_on_the_spot<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let weak = table.put(1, at(0)).downgrade();
    assert!(table.find(1, at(60)).is_none(), "nobody holds it");
    assert_eq!(table.stats().ended.expired, 1);
    assert_eq!(table.len(), 1, "held until a reap hands it over");
    {
        use flow_table_api::WeakFlowRef;
        let flow = weak.upgrade().expect("the table still holds it");
        assert_eq!(flow.status(), Status::Expired);
    }
    assert_eq!(table.reap_all(at(60)).expired, 1);
    assert_eq!((table.len(), table.ledger().dropped()), (0, 1));
}

/// By default an expired flow is found, as `Expired`, for as long as somebody holds it, before and after the reap.
pub fn expired_is_found_while_referenced<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
    assert_eq!(table.reap_all(at(60)).expired, 1);
    assert_eq!(table.status_of(1, at(61)), Some(Status::Expired), "the table has let go, but somebody has not");
    let second = table.find(1, at(61)).expect("found while referenced");
    assert_eq!(second, flow);
    drop(flow);
    assert_eq!(table.status_of(1, at(62)), Some(Status::Expired));
    drop(second);
    assert_eq!(table.ledger().dropped(), 1, "the last handle was the last reference");
    assert_eq!(table.status_of(1, at(62)), None);
}

/// The reference that the table itself keeps for the next reap does not count.
pub fn the_tables_own_reference_does_not_count<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    drop(table.put(1, at(0)));
    assert_eq!(table.status_of(1, at(60)), None, "only the table holds it");
    let flow = table.put(2, at(0));
    assert_eq!(table.status_of(2, at(60)), Some(Status::Expired));
    drop(flow);
    assert_eq!(table.status_of(2, at(60)), None, "only the table holds it now");
}

/// With `OnExpiry::Remove`, the flow is not found from the deadline on, even if somebody holds it.
pub fn expired_is_not_found_if_so_wished<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let flow = table.put_flow(table.pair(1, 2).on_expiry(OnExpiry::Remove), at(0));
    assert_eq!(table.status_of(1, at(60)), None);
    assert_eq!(table.status_of(2, at(60)), None);
    assert_eq!(flow.status(), Status::Expired);
    let reaped = table.put_flow(table.flow(3).on_expiry(OnExpiry::Remove), at(0));
    assert_eq!(table.reap_all(at(60)).expired, 2);
    assert_eq!(table.status_of(3, at(60)), None);
    assert_eq!(reaped.status(), Status::Expired);
}

/// An expired flow that is still referenced is found only until a new flow takes its key.
pub fn a_new_flow_hides_the_expired_one<B: Backend>(setup: Setup) {
    for reap_first in [false, true] {
        let table = Fixture::<B>::new(setup, 2);
        let old = table.put(1, at(0));
        assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
        if reap_first {
            assert_eq!(table.reap_all(at(60)).expired, 1);
        }
        let new = table.put(1, at(60));
        assert_eq!(table.find(1, at(61)), Some(new.clone()));
        assert!(new.cancel());
        assert_eq!(table.find(1, at(61)), None, "the old flow does not come back");
        assert_eq!(old.status(), Status::Expired);
    }
}

/// Flows that were found after their end are dropped with their last handles. No look-up ever meets their slots
/// again, and none of the slots stays, even if nobody looks up or reaps.
pub fn finds_no_dead_slot_and_none_stays<B: Backend>(setup: Setup) {
    const FLOWS: u64 = if cfg!(miri) { 200 } else { 20_000 };
    /// What a table may keep at any size.
    const RESERVE: usize = 1 << 20;
    let table = Fixture::<B>::new(setup, FLOWS as usize);
    let before = table.memory();
    for wave in 0..3 {
        let now = at(100 * wave);
        let flows: Vec<_> = (0..FLOWS).map(|key| table.put_pair(2 * key, 2 * key + 1, now)).collect();
        assert_eq!(table.reap_all(now + TIMEOUT).expired as u64, FLOWS);
        assert_eq!(table.status_of(1, now + TIMEOUT), Some(Status::Expired), "its slot is in use");
        drop(flows);
        assert!((0..2 * FLOWS).all(|key| table.find(key, now).is_none()), "wave {wave}: a dead slot is found");
        table.shrink_to_fit();
        let after = table.memory();
        assert!(
            after <= 2 * before + RESERVE,
            "wave {wave}: {before} bytes when empty, {after} after {FLOWS} flows"
        );
    }
}

/// A slot that was dead and is filled again stays, whatever look-ups and reaps do about its earlier flow.
pub fn a_filled_slot_is_not_dead<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    for round in 0..5 {
        let now = at(round * 100);
        let old = table.put(1, now);
        assert_eq!(table.status_of(1, now + TIMEOUT), Some(Status::Expired));
        let now = at(round * 100 + 60);
        table.reap_all(now);
        let new = table.put(1, now);
        drop(old);
        assert_eq!(table.find(1, now), Some(new.clone()), "after the old flow's last handle went");
        assert_eq!(table.reap_all(now).expired, 0);
        assert_eq!(table.find(1, now), Some(new.clone()), "after the old flow's slot was reaped");
        assert_eq!(table.remove_flow(&new), Ok(true));
    }
}

/// A batch returns, key for key and in order, what single look-ups return, and clears `found` first.
pub fn a_batch_is_so_many_lookups<B: Backend>(setup: Setup) {
    for make in [TestKey::new, TestKey::colliding] {
        let table = Fixture::<B>::new(setup, 40);
        let flows: Vec<_> = (0..40)
            .map(|id| table.put_flow(table.flow(make(id)).timeout(crate::fixture::secs(1 + id % 7)), at(0)))
            .collect();
        let mut found = vec![Some(flows[0].clone())];
        for count in [0, 1, 2, 31, 32, 33, 256] {
            // Hits, expired ones, misses, and keys that occur twice.
            let keys: Vec<_> = (0..count).map(|index| make(index * 7 % 60)).collect();
            table.lookup_batch(&keys, at(4), &mut found);
            assert_eq!(found.len(), keys.len());
            for (key, found) in keys.iter().zip(&found) {
                let single = table.lookup(key, at(4));
                assert_eq!(found, &single, "{key:?} of {count}");
                assert_eq!(found.as_ref().map(|flow| flow.status()), single.as_ref().map(|flow| flow.status()));
            }
        }
    }
}

/// A batch expires flows that are due, returns the direction of each match, and counts a reference for each.
pub fn a_batch_follows_the_rules_of_lookup<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 3);
    let pair = table.put_pair(1, 2, at(10));
    drop(table.put(3, at(0)));
    let mut found = Vec::new();
    table.lookup_batch(&[2, 3, 1, 9, 2].map(TestKey::new), at(60), &mut found);
    let directions: Vec<_> = found.iter().map(|flow| flow.as_ref().map(FlowRef::direction)).collect();
    let (forward, reply) = (Some(Direction::Forward), Some(Direction::Reply));
    assert_eq!(directions, [reply, None, forward, None, reply]);
    assert_eq!(table.stats().ended.expired, 1);
    drop((table.remove_flow(&pair), pair));
    assert_eq!(table.ledger().dropped(), 0, "the batch holds references");
    found.clear();
    assert_eq!(table.ledger().dropped(), 1);
}

/// While one look-up is stopped half way, in `Eq`, another look-up of the same key returns.
pub fn a_lookup_waits_for_no_lookup<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    drop(table.put(1, at(0)));
    let meeting = Meeting::default();
    race(2, |thread| {
        if thread == 0 {
            assert!(meeting.pause_in_eq(|| table.is_live(1, at(1))));
        } else {
            meeting.during_the_pause(|| assert!(table.is_live(1, at(1))));
        }
    });
}
