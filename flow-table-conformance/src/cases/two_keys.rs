use flow_table_api::{Admission, Budget, Direction, Flow, FlowRef, InsertError, OnExpiry, Status, Table};

use crate::fixture::{Fixture, TestKey, at, race, rounds};
use crate::{Backend, Setup, TestRef};

/// Both keys find the one flow, and the handle's direction says which key matched.
pub fn both_keys_find_the_flow<B: Backend>(setup: Setup) {
    for make in [TestKey::new, TestKey::colliding] {
        let table = Fixture::<B>::new(setup, 50);
        let flows: Vec<_> = (0..50).map(|id| table.put_pair(make(id), make(1_000 - id), at(0))).collect();
        assert_eq!(table.len(), 50, "a flow with two keys is one flow");
        for (id, flow) in (0..).zip(&flows) {
            for (key, direction) in [(id, Direction::Forward), (1_000 - id, Direction::Reply)] {
                let found = table.find(make(key), at(1)).expect("live");
                assert_eq!((&found, found.direction(), found.clone().direction()), (flow, direction, direction));
                assert_eq!(found.key_for(direction), Some(&make(key)));
            }
        }
    }
}

/// Both keys share one lifetime. However the flow ends, neither key finds it live, and it ends once.
pub fn both_keys_end_together<B: Backend>(setup: Setup) {
    type End<B> = fn(&Fixture<B>, &TestRef<B>);
    let ends: [(&str, End<B>); 8] = [
        ("look-up when due", |table, _| drop(table.find(1, at(60)))),
        ("look-up of the reply key when due", |table, _| drop(table.find(2, at(60)))),
        ("reap", |table, _| {
            table.reap_all(at(60));
        }),
        ("cancel", |_, flow| assert!(flow.cancel())),
        ("remove", |table, _| assert!(table.remove(&TestKey::from(1)).is_some())),
        ("remove by the reply key", |table, _| assert!(table.remove(&TestKey::from(2)).is_some())),
        ("remove_flow", |table, flow| assert_eq!(table.remove_flow(flow), Ok(true))),
        ("replacement", |table, flow| {
            let inserted = table.insert(table.pair(1, 3), at(0)).expect("replaces");
            assert_eq!(inserted.replaced.as_ref(), Some(flow));
            assert!(inserted.flow.cancel());
        }),
    ];
    for (name, end) in ends {
        let table = Fixture::<B>::new(setup, 2);
        let flow = table.put_flow(table.pair(1, 2).on_expiry(OnExpiry::Remove), at(0));
        end(&table, &flow);
        assert!(table.find(1, at(0)).is_none() && table.find(2, at(0)).is_none(), "{name}");
        table.reap_all(at(60));
        let stats = table.stats();
        assert_eq!((stats.ended.total(), stats.flows), (stats.inserts, 0), "{name}");
        drop(flow);
        assert!(table.find(1, at(60)).is_none() && table.find(2, at(60)).is_none(), "{name}: both slots go");
    }
}

/// A refresh through one key keeps the flow alive under both; an expired one is found under both while referenced.
pub fn both_keys_share_one_deadline<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    drop(table.put_pair(1, 2, at(0)));
    assert!(table.find(2, at(50)).expect("live").refresh(at(50)));
    assert_eq!(table.reap_all(at(60)).expired, 0);
    let flow = table.find(1, at(109)).expect("live under the other key");
    assert_eq!(table.reap_all(at(110)).expired, 1);
    assert_eq!(table.status_of(1, at(110)), Some(Status::Expired));
    assert_eq!(table.status_of(2, at(110)), Some(Status::Expired));
    drop(flow);
    assert!(table.find(1, at(110)).is_none() && table.find(2, at(110)).is_none());
}

/// Equal forward and reply keys are an error, which returns the flow.
pub fn identical_keys_are_refused<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 0);
    let results = [
        table.insert(table.pair(1, 1), at(0)).map(drop),
        table.insert_if_absent(table.pair(1, 1), at(0)).map(drop),
        table.get_or_insert_with(table.spec(1).reply(1.into()), at(0), || table.value()).map(drop),
    ];
    for (serial, result) in results.into_iter().enumerate() {
        match result {
            Err(InsertError::IdenticalKeys { flow }) => assert_eq!(flow.value().serial(), serial),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(table.stats().refusals, 0, "the table was not even asked for room");
}

/// `insert` never takes a reply key from another live flow. Neither key is installed, and the error contains the
/// holder.
pub fn a_conflict_installs_neither_key<B: Backend>(setup: Setup) {
    // The reply key is the forward key of another flow, or its reply key; the forward key is free, or has a flow.
    for (other_key, direction) in [(8, Direction::Forward), (9, Direction::Reply)] {
        for forward_taken in [false, true] {
            let table = Fixture::<B>::new(setup, 2);
            let holder = table.put_pair(8, 9, at(0));
            let old = forward_taken.then(|| table.put_pair(1, 2, at(0)));
            let before = table.stats();
            match table.insert(table.pair(1, other_key), at(1)) {
                Err(InsertError::Conflict { flow, holder: named, key }) => {
                    assert_eq!((*flow.key(), &named, key), (1.into(), &holder, Direction::Reply));
                    assert_eq!(named.direction(), direction, "which of its keys it is");
                }
                other => panic!("{other:?}"),
            }
            let after = table.stats();
            assert_eq!((after.inserts, after.ended, after.flows), (before.inserts, before.ended, before.flows));
            assert_eq!(table.find(1, at(1)), old, "the forward key is as it was");
            assert_eq!(table.find(other_key, at(1)), Some(holder));
        }
    }
}

/// `insert_if_absent` returns which key is taken, forward first, and its holder. Nothing is installed.
pub fn if_absent_names_the_key_and_its_holder<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let (first, second) = (table.put_pair(1, 2, at(0)), table.put_pair(3, 4, at(0)));
    let (forward, reply) = (Direction::Forward, Direction::Reply);
    let attempts = [
        ((1, 9), &first, forward, forward),
        ((2, 9), &first, reply, forward),
        ((9, 3), &second, forward, reply),
        ((9, 4), &second, reply, reply),
        ((2, 4), &first, reply, forward),
        ((4, 2), &second, reply, forward),
    ];
    for ((key, reply_key), expected, its_key, my_key) in attempts {
        match table.insert_if_absent(table.pair(key, reply_key), at(1)).expect("no error") {
            Admission::Existing { holder, key: matched, rejected } => {
                let rejected = rejected.expect("given back");
                assert_eq!((&holder, holder.direction(), matched), (expected, its_key, my_key));
                assert_eq!((rejected.key(), rejected.reply_key()), (&key.into(), Some(&reply_key.into())));
            }
            Admission::Inserted(_) => panic!("displaced a live flow"),
        }
        assert!(table.find(9, at(1)).is_none(), "neither key is installed");
    }
    assert_eq!((table.len(), table.stats().inserts), (2, 2));
}

/// A flow that is replaced through one key loses both. Its other key is free, even for the flow that replaces it.
pub fn a_replaced_pair_goes_with_both_keys<B: Backend>(setup: Setup) {
    // The new flow's keys; which of the old ones must be found no more.
    let replacements: [(u64, Option<u64>, &[u64]); 6] = [
        (1, None, &[2]),
        (2, None, &[1]),
        (1, Some(3), &[2]),
        (2, Some(3), &[1]),
        (2, Some(1), &[]),
        (1, Some(2), &[]),
    ];
    for (key, reply, gone) in replacements {
        let table = Fixture::<B>::new(setup, 1);
        let old = table.put_pair(1, 2, at(0));
        let new = table.flow(key);
        let new = if let Some(reply) = reply { new.reply(reply.into()) } else { new };
        let inserted = table.insert(new, at(1)).expect("the one live flow in the way is the replaced one");
        let replaced = inserted.replaced.expect("it was live");
        assert_eq!((&replaced, old.status()), (&old, Status::Detached));
        for key in [Some(key), reply].into_iter().flatten() {
            assert_eq!(table.find(key, at(1)), Some(inserted.flow.clone()), "new under {key}");
        }
        assert!(gone.iter().all(|&key| table.find(key, at(1)).is_none()), "old under {gone:?}");
        assert_eq!((table.len(), table.stats().ended.replaced), (1, 1));
    }
}

/// When a flow that is not live loses one key to a new flow, its other key stops finding it as well.
pub fn an_ended_pair_loses_both_keys<B: Backend>(setup: Setup) {
    for reap_first in [false, true] {
        for (taken, left) in [(1, 2), (2, 1)] {
            let table = Fixture::<B>::new(setup, 2);
            let old = table.put_pair(1, 2, at(0));
            assert_eq!(table.status_of(left, at(60)), Some(Status::Expired));
            if reap_first {
                assert_eq!(table.reap_all(at(60)).expired, 1);
            }
            let new = table.put_pair(taken, 3, at(60));
            assert_eq!(table.find(left, at(60)), None, "half of the old flow is found");
            assert_eq!(table.find(taken, at(60)), Some(new));
            drop(old);
        }
    }
}

/// A pair whose keys stand under two flows that are not live takes both places.
pub fn ended_flows_block_no_pair<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 3);
    let (first, second) = (table.put(1, at(0)), table.put_pair(3, 2, at(0)));
    assert!(second.cancel());
    let admission = table.insert_if_absent(table.pair(1, 2), at(60)).expect("there is room");
    assert!(admission.is_inserted());
    assert!(table.is_live(1, at(61)) && table.is_live(2, at(61)));
    assert_eq!((first.status(), second.status()), (Status::Expired, Status::Cancelled));
    let mut ended = 0;
    table.reap_with(at(60), Budget::UNLIMITED, |_| ended += 1);
    assert_eq!((ended, table.len()), (2, 1));
}

/// Of two threads that insert the same conversation from both ends, one installs the whole pair.
pub fn crossing_pairs_are_not_torn<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 3);
    for round in 0..rounds(300) {
        let keys = [(1, 2), (2, 1), (2, 3)];
        let admissions = race(3, |thread| {
            let (key, reply) = keys[thread];
            table.insert_if_absent(table.pair(key, reply), at(0)).expect("there is room")
        });
        let installed: Vec<_> = admissions.iter().filter(|one| one.is_inserted()).collect();
        assert_eq!(installed.len(), 1, "round {round}: each pair shares a key with each other");
        let flow = installed[0].flow();
        let live = [1, 2, 3].map(|key| table.find(key, at(0)));
        for (key, found) in (1..).zip(live) {
            let own = *flow.key() == TestKey::new(key) || flow.reply_key() == Some(&TestKey::new(key));
            assert_eq!(found.as_ref(), own.then_some(flow), "round {round}: key {key}");
        }
        assert_eq!((table.remove_flow(flow), table.len()), (Ok(true), 0), "round {round}");
    }
}

/// A thread that finds a pair live by one key also finds it by the other, unless the pair has ended by then.
pub fn no_observer_sees_half_a_pair<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    race(4, |thread| {
        for round in 0..rounds(400) {
            let keys = if (round + thread) % 2 == 0 { [1, 2] } else { [2, 1] };
            match thread {
                0 => drop(table.insert(table.pair(keys[0], keys[1]), at(0))),
                1 => drop(table.insert_if_absent(table.pair(keys[0], keys[1]), at(0))),
                _ => {
                    let Some(seen) = table.find(keys[0], at(0)) else { continue };
                    let other = table.find(keys[1], at(0));
                    // Had it been live all along, the second look-up must have met it.
                    if seen.is_live(at(0)) {
                        assert_eq!(other.as_ref(), Some(&seen), "half a pair is live");
                    }
                    if round % 3 == 0 {
                        table.remove_flow(&seen).expect("the table's own");
                    }
                }
            }
        }
    });
}
