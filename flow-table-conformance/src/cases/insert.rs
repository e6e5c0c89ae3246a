use std::cell::Cell;

use flow_table_api::{Admission, Budget, Burst, Direction, Flow, FlowRef, OnExpiry, Status, Table};

use crate::fixture::{Fixture, TestKey, at, race, rounds, secs};
use crate::{Backend, Setup, TestRef};

/// `insert` replaces the live flow under its key. The new flow is found, and the old one is detached and returned.
pub fn replaces_the_live_flow<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let old = table.put(1, at(0));
    let inserted = table.insert(table.flow(1), at(1)).expect("replaces");
    assert_eq!(inserted.replaced, Some(old.clone()));
    assert_eq!(table.find(1, at(1)), Some(inserted.flow.clone()));
    assert_ne!(inserted.flow, old);
    assert_eq!((inserted.flow.status(), inserted.flow.deadline()), (Status::Active, at(61)));
    assert_eq!((old.status(), old.refresh(at(1))), (Status::Detached, false));
    assert_eq!((table.len(), table.stats().inserts, table.stats().ended.replaced), (1, 2, 1));
}

/// A replacement lives by itself: after the old flow's deadline, and after its own last handle was dropped.
pub fn the_replacement_is_kept<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    drop(table.put(1, at(0)));
    let new = table.insert(table.flow(1), at(30)).expect("replaces").flow;
    let serial = new.value().serial();
    drop(new);
    assert_eq!(table.reap_all(at(60)).expired, 0, "the old flow's deadline is not the new one's");
    assert_eq!(table.find(1, at(89)).expect("live").value().serial(), serial);
    assert_eq!(table.reap_all(at(90)).expired, 1);
    assert_eq!(table.ledger().dropped(), 2);
}

/// The replaced flow's value is dropped with the returned handle, or before `insert` returns if it was not live.
pub fn the_replaced_value_is_dropped_at_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    drop(table.put(1, at(0)));
    let inserted = table.insert(table.flow(1), at(1)).expect("replaces");
    assert_eq!(table.ledger().dropped(), 0, "the returned handle holds it");
    drop(inserted);
    assert!(table.ledger().is_dropped(0));
    // An expired flow that only a holder keeps is not returned, and is dropped with the last handle.
    let held = table.find(1, at(1)).expect("live");
    assert_eq!(table.reap_all(at(61)).expired, 1);
    let inserted = table.insert(table.flow(1), at(61)).expect("there is room");
    assert_eq!(inserted.replaced, None, "it was not live");
    drop(held);
    assert!(table.ledger().is_dropped(1) && !table.ledger().is_dropped(2));
}

/// A flow that is no longer live is not returned as replaced. The next reap hands it over, unless that has
/// happened.
pub fn replacing_an_ended_flow_loses_nothing<B: Backend>(setup: Setup) {
    type End<B> = fn(&Fixture<B>, &TestRef<B>);
    let ends: [(&str, End<B>); 3] = [
        ("due", |_, _| {}),
        ("expired by a look-up", |table, _| drop(table.find(1, at(60)))),
        ("cancelled", |_, flow| assert!(flow.cancel())),
    ];
    for (name, end) in ends {
        let table = Fixture::<B>::new(setup, 2);
        let old = table.put(1, at(0));
        end(&table, &old);
        let inserted = table.insert(table.flow(1), at(60)).expect("there is room");
        assert_eq!(inserted.replaced, None, "{name}: it was not live");
        assert_eq!((table.stats().ended.replaced, table.len()), (0, 2), "{name}");
        let mut ended = Vec::new();
        let report = table.reap_with(at(60), Budget::UNLIMITED, |flow| ended.push(flow.flow));
        assert_eq!((report.expired + report.cancelled, ended), (1, vec![old]), "{name}");
        assert_eq!(table.find(1, at(60)), Some(inserted.flow), "{name}");
    }
}

/// Among many flows that came and went, an insertion finds every live flow that conflicts with it.
pub fn every_live_flow_is_found_among_many<B: Backend>(setup: Setup) {
    const FLOWS: u64 = if cfg!(miri) { 300 } else { 2_000 };
    let table = Fixture::<B>::exactly(setup, FLOWS as usize);
    (0..FLOWS).for_each(|key| drop(table.put(key, at(0))));
    for round in 2..5 {
        for key in (0..FLOWS).filter(|key| key % round == 0) {
            assert!(table.remove(&TestKey::new(key)).is_some(), "round {round}: {key} was lost");
        }
        // The latest come first, so that flows that were put elsewhere are asked for while there is still room at
        // their own place.
        for key in (0..FLOWS).rev() {
            let inserted = match table.insert_if_absent(table.flow(key), at(0)).expect("there is room") {
                Admission::Inserted(flow) => flow.status() == Status::Active,
                Admission::Existing { .. } => false,
            };
            assert_eq!(inserted, key % round == 0, "round {round}: {key}");
        }
    }
    assert_eq!((table.len(), table.snapshot().len()), (FLOWS as usize, FLOWS as usize));
}

/// `insert_if_absent` leaves a live flow alone, and returns a handle to it and the rejected flow.
pub fn if_absent_displaces_nothing_live<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let old = table.put(1, at(0));
    match table.insert_if_absent(table.flow(1), at(59)).expect("no error") {
        Admission::Existing { holder, key, rejected } => {
            assert_eq!((&holder, holder.direction(), key), (&old, Direction::Forward, Direction::Forward));
            assert_eq!(rejected.expect("given back").value().serial(), 1);
        }
        Admission::Inserted(_) => panic!("a live flow was displaced"),
    }
    assert_eq!((table.find(1, at(59)), old.deadline()), (Some(old), at(60)));
    assert_eq!((table.len(), table.stats().inserts, table.stats().ended.total()), (1, 1, 0));
}

/// No flow that is not live blocks an insertion, even while somebody holds it.
pub fn what_is_not_live_blocks_nothing<B: Backend>(setup: Setup) {
    type End<B> = fn(&Fixture<B>, &TestRef<B>);
    let ends: [(&str, End<B>); 5] = [
        ("due", |_, _| {}),
        ("expired by a look-up", |table, _| drop(table.find(1, at(60)))),
        ("reaped", |table, _| {
            table.reap_all(at(60));
        }),
        ("cancelled", |_, flow| assert!(flow.cancel())),
        ("removed", |table, flow| assert_eq!(table.remove_flow(flow), Ok(true))),
    ];
    for (name, end) in ends {
        let table = Fixture::<B>::new(setup, 2);
        let old = table.put(1, at(0));
        end(&table, &old);
        let admission = table.insert_if_absent(table.flow(1), at(60)).expect("there is room");
        assert!(admission.is_inserted(), "{name}: blocked by a flow that is not live");
        assert_eq!(table.find(1, at(60)).as_ref(), Some(admission.flow()), "{name}");
        assert_ne!(old.status(), Status::Active, "{name}");
    }
}

/// If threads race for one key, exactly one installs its flow, and the others get that flow.
pub fn one_of_many_threads_installs<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    for round in 0..rounds(200) {
        let now = at(round as u64 * 100);
        // Every other round starts on a flow that is due.
        let expired = (round % 2 == 1).then(|| table.put_flow(table.flow(1).timeout(secs(1)), at(0)));
        let admissions = race(4, |thread| {
            if thread % 2 == 0 {
                table.insert_if_absent(table.flow(1), now)
            } else {
                table.get_or_insert_with(table.spec(1), now, || table.value())
            }
        });
        let admissions: Vec<_> = admissions.into_iter().map(|one| one.expect("there is room")).collect();
        let installed: Vec<_> = admissions.iter().filter(|one| one.is_inserted()).collect();
        assert_eq!(installed.len(), 1, "round {round}");
        assert!(admissions.iter().all(|one| one.flow() == installed[0].flow()), "round {round}");
        assert_eq!(table.find(1, now).as_ref(), Some(installed[0].flow()));
        drop((expired, table.remove(&TestKey::from(1))));
        table.reap_all(at(0));
    }
}

/// `get_or_insert_with` returns a live flow without making a value, and makes exactly one value on a miss.
pub fn get_or_insert_makes_only_on_a_miss<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let made = Cell::new(0);
    let get = |key: u64, reply: u64, now| {
        let make = || {
            made.set(made.get() + 1);
            table.value()
        };
        table.get_or_insert_with(table.spec(key).reply(reply.into()), now, make).expect("there is room")
    };
    let first = get(1, 2, at(0));
    assert!(first.is_inserted() && made.get() == 1);
    for (key, reply, direction) in [(1, 2, Direction::Forward), (2, 1, Direction::Reply), (2, 9, Direction::Reply)]
    {
        let Admission::Existing { holder, key: matched, rejected } = get(key, reply, at(59)) else {
            panic!("it is there")
        };
        assert_eq!((&holder, holder.direction(), matched), (first.flow(), direction, Direction::Forward));
        assert!(rejected.is_none());
    }
    assert_eq!(made.get(), 1, "nothing is made on a hit");
    match get(9, 1, at(59)) {
        Admission::Existing { holder, key, rejected } => {
            assert_eq!(
                (&holder, key, made.get()),
                (first.flow(), Direction::Reply, 2),
                "a miss by the forward key"
            );
            assert!(rejected.is_some());
        }
        Admission::Inserted(_) => panic!("the reply key is taken"),
    }
    let second = get(2, 1, at(60));
    assert!(second.is_inserted() && second.flow() != first.flow(), "the first flow is held, but not live");
    assert_eq!((made.get(), second.flow().deadline()), (3, at(120)));
}

/// `make` may use the table, and even insert the same key. Then that flow is found, and the new one is returned.
pub fn make_runs_under_no_lock<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 40);
    let keys = (1..=33).map(TestKey::new);
    let mut inner = None;
    let make = || {
        for key in keys.clone() {
            let flow = table.put(key, at(0));
            inner.get_or_insert(flow);
        }
        assert_eq!(table.retain(|flow| *flow.key() != 33.into()), 1);
        table.value()
    };
    let admission = table.get_or_insert_with(table.spec(1), at(0), make).expect("there is room");
    let Admission::Existing { holder, rejected, .. } = admission else { panic!("`make` inserted the key") };
    assert_eq!(Some(holder), inner);
    assert!(rejected.is_some());
}

/// If `make` fails, its error is returned and nothing has changed. It does not run if the key has a live flow.
pub fn what_is_not_made_is_not_inserted<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let put = |made: Result<(), &'static str>| {
        table.try_get_or_insert_with(table.spec(1), at(0), || made.map(|()| table.value()))
    };
    assert_eq!(put(Err("no port")).map(drop), Err("no port"));
    assert_eq!((table.len(), table.stats().inserts, table.stats().refusals), (0, 0, 0));
    assert!(put(Ok(())).expect("made").expect("there is room").is_inserted());
    let again = put(Err("not called")).expect("not called").expect("it is there");
    assert!(matches!(again, Admission::Existing { rejected: None, .. }));
    assert_eq!((table.clear(), table.clear(), table.len()), (1, 0, 0));
}

/// `get_or_insert_with` installs a flow under the given keys, with the given settings and the value made.
pub fn a_flow_stands_under_its_own_keys<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let spec = table.spec(2).reply(3.into()).timeout(secs(7)).on_expiry(OnExpiry::Remove);
    let admission = table.get_or_insert_with(spec, at(0), || table.value()).expect("there is room");
    assert!(admission.is_inserted());
    let flow = admission.into_flow();
    assert_eq!((flow.key(), flow.reply_key(), flow.value().serial()), (&2.into(), Some(&3.into()), 0));
    assert_eq!((flow.deadline(), flow.timeout(), flow.on_expiry()), (at(7), secs(7), OnExpiry::Remove));
    assert_eq!(table.find(2, at(0)).map(|flow| flow.direction()), Some(Direction::Forward));
    assert_eq!(table.find(3, at(0)).map(|flow| flow.direction()), Some(Direction::Reply));
    assert_eq!((table.len(), table.stats().inserts), (1, 1));
}

/// The hash of a key, from a miss or from the table, works with every way of inserting. The flow is found under
/// its keys, and no other flow is.
pub fn a_hash_is_carried_to_the_insertion<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 40);
    let keys: Vec<TestKey> = (0..40).map(TestKey::new).collect();
    let (mut hashes, mut found) = (Vec::new(), Vec::new());
    let burst = table.burst(at(0));
    burst.hash_batch(&keys, &mut hashes);
    burst.get_batch_hashed(&keys, &hashes, &mut found);
    assert_eq!((hashes.len(), found.iter().flatten().count()), (keys.len(), 0));
    for (key, &hash) in (0..40).zip(&hashes) {
        assert_eq!(
            (table.hash(&TestKey::from(key)), burst.hash(&TestKey::from(key))),
            (hash, hash),
            "a table's hash of a key is one"
        );
        let is_inserted = match key % 4 {
            0 => {
                table.insert(table.flow(key).hashed(hash), at(0)).is_ok_and(|inserted| inserted.replaced.is_none())
            }
            1 => table.insert_if_absent(table.flow(key).hashed(hash), at(0)).is_ok_and(|new| new.is_inserted()),
            2 => table
                .get_or_insert_with(table.spec(key).hashed(hash), at(0), || table.value())
                .is_ok_and(|new| new.is_inserted()),
            _ => table.insert(table.pair(key, 1_000 + key).hashed(hash), at(0)).is_ok(),
        };
        assert!(is_inserted, "flow {key}");
    }
    for key in 0..40 {
        assert!(table.is_live(key, at(1)), "flow {key}");
        assert_eq!(table.is_live(1_000 + key, at(1)), key % 4 == 3, "the reply key of flow {key}");
        let again =
            table.insert_if_absent(table.flow(key).hashed(hashes[key as usize]), at(1)).expect("it is there");
        assert!(!again.is_inserted(), "flow {key}");
    }
    drop(burst);
    assert_eq!(table.len(), 40);
}
