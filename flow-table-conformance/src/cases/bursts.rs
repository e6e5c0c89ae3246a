use flow_table_api::{
    Borrowed, Budget, Burst, Direction, Flow, FlowRef, ForeignFlow, OnExpiry, Status, Table, WeakFlowRef,
};

use crate::fixture::{Fixture, TIMEOUT, TestKey, TestValue, at, race, secs};
use crate::{Backend, Setup, TestTable};

type FlowOf<B> = <TestTable<B> as Table<TestKey, TestValue>>::Flow;

/// Look-ups in a burst follow the rules of look-ups, at the burst's own time.
pub fn lookups_follow_the_rules<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    let pair = table.put_pair(1, 2, at(10));
    let held = table.put(3, at(0));
    drop(table.put(4, at(0)));
    let removed = table.put_flow(table.flow(5).on_expiry(OnExpiry::Remove), at(0));

    let burst = table.burst(at(60));
    assert_eq!(burst.now(), at(60));
    for (key, direction) in [(1, Direction::Forward), (2, Direction::Reply)] {
        let found = burst.get(&TestKey::new(key)).expect("live");
        assert_eq!((found.direction(), found.value().serial()), (direction, pair.value().serial()));
    }
    assert_eq!(burst.get(&TestKey::from(3)).map(|flow| flow.status()), Some(Status::Expired), "somebody holds it");
    assert!(burst.get(&TestKey::from(4)).is_none(), "nobody holds it");
    assert!(burst.get(&TestKey::from(5)).is_none(), "not to be found once expired");
    assert!(burst.get(&TestKey::from(6)).is_none(), "never inserted");
    assert_eq!((held.status(), removed.status()), (Status::Expired, Status::Expired));
    assert_eq!(table.stats().ended.expired, 3, "expired on the spot");
}

/// A batch in a burst returns, key for key, what single look-ups in it return, and clears `found` first.
pub fn a_batch_is_so_many_lookups<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 20);
    for id in 0..20 {
        drop(table.put_pair(2 * id, 2 * id + 1, at(0)));
    }
    let burst = table.burst(at(1));
    let mut found = vec![burst.get(&TestKey::from(0))];
    for count in [0, 1, 31, 32, 33, 256] {
        let keys: Vec<TestKey> = (0..count).map(|index| (index * 7 % 60).into()).collect();
        burst.get_batch(&keys, &mut found);
        assert_eq!(found.len(), keys.len());
        for (key, found) in keys.iter().zip(&found) {
            let identity = |flow: &Borrowed<'_, FlowOf<B>>| (flow.value().serial(), flow.direction());
            assert_eq!(found.as_ref().map(identity), burst.get(key).as_ref().map(identity), "{key:?} of {count}");
        }
    }
}

/// A borrowed flow can be turned into a handle, with the same direction, which outlives the burst.
pub fn a_handle_outlives_the_burst<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put_pair(1, 2, at(0));
    let burst = table.burst(at(1));
    let borrowed = burst.get(&TestKey::from(2)).expect("live");
    assert!(borrowed.refresh(burst.now()), "borrowed flows can be refreshed");
    let handle = burst.handle(borrowed).expect("live");
    assert_eq!((&handle, handle.direction()), (&flow, Direction::Reply));
    drop((burst, flow));
    assert_eq!(table.remove(&TestKey::from(1)), Some(handle.clone()));
    assert_eq!((handle.status(), table.ledger().dropped()), (Status::Detached, 0));
    drop(handle);
    assert_eq!(table.ledger().dropped(), 1);
}

/// Every operation returns while the same thread has bursts open and borrows the flows concerned.
pub fn an_open_burst_blocks_nothing_on_its_thread<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 6);
    for key in 0..5 {
        drop(table.put(key, at(0)));
    }
    let burst = table.burst(at(1));
    let borrowed: Vec<_> = (0..5).map(|key| burst.get(&TestKey::from(key)).expect("live")).collect();
    use_everything(&table);
    for (serial, flow) in borrowed.iter().enumerate() {
        assert_eq!(flow.value().serial(), serial, "still readable");
        assert_ne!(flow.status(), Status::Active);
    }
    drop(burst);
    table.reap_all(at(1));
    assert_eq!(table.ledger().dropped(), table.ledger().made());
}

/// Every operation of other threads returns while this one has bursts open and borrows the flows concerned.
pub fn an_open_burst_blocks_no_other_thread<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 6);
    for key in 0..5 {
        drop(table.put(key, at(0)));
    }
    let burst = table.burst(at(1));
    let borrowed: Vec<_> = (0..5).map(|key| burst.get(&TestKey::from(key)).expect("live")).collect();
    race(1, |_| use_everything(&table));
    for (serial, flow) in borrowed.iter().enumerate() {
        assert_eq!(flow.value().serial(), serial, "still readable");
    }
}

/// Ends the flows under the keys 0 to 4, each in another way, and uses the rest of the interface.
fn use_everything<B: Backend>(table: &Fixture<B>) {
    assert!(table.find(0, at(1)).expect("live").cancel());
    assert!(table.remove(&TestKey::from(1)).is_some());
    let new = table.insert(table.flow(2), at(1)).expect("replaces");
    assert!(new.replaced.is_some());
    let third = table.find(3, at(1)).expect("live");
    third.set_deadline(at(2)).expect("live");
    let fourth = table.find(4, at(1)).expect("live");
    assert_eq!(table.remove_flow(&fourth), Ok(true));
    drop(table.reinsert(&fourth, at(1)).expect("there is room"));
    fourth.set_timeout(secs(1), at(1)).expect("live");
    drop((third, fourth));
    assert_eq!(table.reap_all(at(2)).expired, 2);
    assert_eq!(table.retain(|_| false), 1);
    drop(new);
    assert!(table.insert_if_absent(table.flow(6), at(1)).expect("there is room").is_inserted());
    assert!(
        table.get_or_insert_with(table.spec(7), at(1), || table.value()).expect("there is room").is_inserted()
    );
    let mut found = Vec::new();
    table.lookup_batch(&[6, 7, 8].map(TestKey::new), at(1), &mut found);
    assert_eq!(table.snapshot().len(), 2);
    drop((table.burst(at(1)).get(&TestKey::from(6)).is_some(), found));
    table.set_capacity(table.capacity() - 1);
    table.shrink_to_fit();
    let _ = (table.stats(), table.memory(), table.next_deadline(), table.is_empty());
    assert_eq!(table.retain(|_| false), 2);
    assert_eq!(table.reap_local(at(1), Budget::UNLIMITED).expired, 0);
}

/// What a burst borrows is neither dropped nor reused while the burst is open, however the flow ends, and is
/// dropped once it is closed (at the latest by the next reap).
pub fn values_wait_for_the_burst_and_no_longer<B: Backend>(setup: Setup) {
    type End<B> = fn(&Fixture<B>);
    let ends: [(&str, End<B>); 5] = [
        ("remove", |table| drop(table.remove(&TestKey::from(1)))),
        ("replacement", |table| drop(table.insert(table.flow(1), at(1)))),
        ("cancel", |table| {
            assert!(table.find(1, at(1)).expect("live").cancel());
            assert_eq!(table.reap_all(at(1)).cancelled, 1);
        }),
        ("reap", |table| assert_eq!(table.reap_all(at(60)).expired, 1)),
        ("look-up when due, then reap", |table| {
            drop(table.find(1, at(60)));
            assert_eq!(table.reap_all(at(0)).expired, 1);
        }),
    ];
    for (name, end) in ends {
        let table = Fixture::<B>::new(setup, 3);
        let weak = table.put(1, at(0)).downgrade();
        let burst = table.burst(at(1));
        let borrowed = burst.get(&TestKey::from(1)).expect("live");
        end(&table);
        assert_ne!(borrowed.status(), Status::Active, "{name}");
        drop(table.put(2, at(1)));
        drop(table.put(3, at(1)));
        assert_eq!((borrowed.value().serial(), *borrowed.key()), (0, 1.into()), "{name}: still readable");
        assert!(!table.ledger().is_dropped(0), "{name}: dropped while a burst borrows it");
        drop(burst.handle(borrowed));
        drop(burst);
        table.reap_all(at(1));
        assert!(table.ledger().is_dropped(0), "{name}: kept though no burst is open");
        assert!(weak.upgrade().is_none(), "{name}: the value is gone");
    }
}

/// Many bursts, open at once on one thread and closed in any order, each keep what they borrow.
pub fn many_bursts_on_one_thread<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 10);
    let mut bursts = Vec::new();
    for key in 0..10 {
        drop(table.put(key, at(0)));
        bursts.push(table.burst(at(1)));
    }
    {
        let borrowed: Vec<_> = (0..).zip(&bursts).map(|(key, burst)| burst.get(&TestKey::new(key))).collect();
        assert_eq!(table.retain(|_| false), 10);
        for (serial, flow) in borrowed.iter().enumerate() {
            assert_eq!(flow.expect("live").value().serial(), serial);
        }
    }
    for close in [9, 0, 4, 4, 2, 2, 0, 0, 1] {
        drop(bursts.remove(close));
        table.reap_all(at(1));
        assert!(bursts.iter().all(|burst| burst.get(&TestKey::from(0)).is_none()));
    }
    drop(bursts);
    table.reap_all(at(1));
    assert_eq!(table.ledger().dropped(), 10);
}

/// Bursts on several threads, some of them within others, read flows that other threads end meanwhile.
pub fn many_bursts_on_many_threads<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    race(4, |thread| {
        for round in 0..crate::fixture::rounds(100) {
            let key = TestKey::new((round % 4) as u64);
            if thread == 0 {
                drop(table.insert(table.flow(key), at(0)).expect("there is room"));
                continue;
            }
            let outer = table.burst(at(1));
            let held = outer.get(&key);
            let inner = table.burst(at(1));
            drop((inner.get(&key), table.remove(&key)));
            drop(inner);
            if let Some(flow) = held {
                assert_eq!(*flow.key(), key);
                assert!(!table.ledger().is_dropped(flow.value().serial()), "dropped while a burst borrows it");
            }
        }
    });
}

/// Deadlines of a borrowed flow may be moved, and it may be cancelled and removed, as with a handle. It stays
/// readable while the burst is open, and its value is dropped afterwards.
pub fn a_borrowed_flow_is_ended_and_moved<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    for key in 1..5 {
        drop(table.put_pair(key, 100 + key, at(0)));
    }
    let burst = table.burst(at(1));
    let flows = [1, 2, 3, 104].map(|key| burst.get(&TestKey::new(key)).expect("live"));
    flows[0].set_deadline(at(5)).expect("live");
    flows[1].set_timeout(secs(2), at(1)).expect("live");
    assert!(flows[2].cancel() && !flows[2].cancel());
    assert_eq!((table.remove_flow(&flows[3]), table.remove_flow(&flows[3])), (Ok(true), Ok(false)));
    assert!([3, 103, 4, 104].iter().all(|&key| table.find(key, at(1)).is_none()));
    let report = table.reap_all(at(3));
    assert_eq!((report.cancelled, report.expired), (1, 1), "the one with the shorter timeout expired");
    assert_eq!(table.reap_all(at(5)).expired, 1);
    let ends = flows.map(|flow| (flow.status(), flow.deadline(), flow.timeout()));
    let (expired, cancelled, removed) = (Status::Expired, Status::Cancelled, Status::Detached);
    assert_eq!(
        ends,
        [
            (expired, at(5), TIMEOUT),
            (expired, at(3), secs(2)),
            (cancelled, at(60), TIMEOUT),
            (removed, at(60), TIMEOUT),
        ]
    );
    assert!(flows.iter().all(|flow| flow.set_deadline(at(9)).is_err() && !flow.refresh_for(secs(9), at(0))));
    let other = Fixture::<B>::new(setup, 1);
    assert_eq!(other.remove_flow(&flows[0]), Err(ForeignFlow));
    assert_eq!((table.len(), table.ledger().dropped()), (0, 0));
    drop(burst);
    assert_eq!(table.ledger().dropped(), 4);
}
