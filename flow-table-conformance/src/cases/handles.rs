use std::collections::HashSet;
use std::hash::Hash;

use flow_table_api::{
    Budget, Direction, Flow, FlowRef, ForeignFlow, NewFlow, ReinsertError, Status, Table, WeakFlowRef,
};

use crate::fixture::{Fixture, TestKey, TestValue, at, race, secs};
use crate::sync::Mutex;
use crate::{Backend, Setup, TestRef, TestTable};

/// Handles compare and hash by identity, whatever key found them. Clones keep the direction.
pub fn compare_by_identity<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let inserted = table.put_pair(1, 2, at(0));
    let (forward, reply) = (table.find(1, at(0)).expect("live"), table.find(2, at(0)).expect("live"));
    assert_eq!((&forward, &reply), (&inserted, &inserted));
    assert_eq!(HashSet::from([inserted.clone(), forward, reply.clone()]).len(), 1);
    assert_eq!(reply.clone().direction(), Direction::Reply);
    let replaced = table.insert(table.flow(1), at(0)).expect("replaces");
    assert_ne!(replaced.flow, inserted, "equal keys do not make equal flows");
    assert!(format!("{inserted:?}").len() > 1);
}

/// A weak reference leads to its own flow or to none, also after the flow's memory was used for others: at once,
/// between flows that stay, or after it was returned to the system.
pub fn weak_ones_never_lead_to_another_flow<B: Backend>(setup: Setup) {
    const FLOWS: u64 = if cfg!(miri) { 200 } else { 3_000 };
    const STAYS: u64 = 1_000_000;
    for some_stay in [false, true] {
        let table = B::Table::<u64, [u64; 16]>::with_config(setup.config(2 * FLOWS as usize));
        let put = |key, timeout| {
            let flow = NewFlow::new(key, [key; 16]).timeout(timeout);
            table.insert(flow, at(0)).expect("there is room").flow
        };
        let mut weak = Vec::new();
        for wave in 0..3 {
            for key in wave * FLOWS..(wave + 1) * FLOWS {
                if some_stay && wave == 0 && key % 10 == 0 {
                    drop(put(STAYS + key, secs(1_000)));
                }
                weak.push(put(key, secs(10)).downgrade());
            }
            for (key, weak) in (0..).zip(&weak) {
                let found = weak.upgrade().map(|flow| flow.value()[15]);
                assert_eq!(found, (key >= wave * FLOWS).then_some(key), "wave {wave}");
            }
            assert_eq!(table.reap(at(10), Budget::UNLIMITED).expired, FLOWS as usize);
            assert!(weak.iter().all(|weak| weak.upgrade().is_none()), "wave {wave} is gone");
        }
    }
}

/// A weak reference does not keep the value alive. It returns a handle while something else does, and keeps the
/// direction.
pub fn weak_ones_keep_nothing_alive<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put_pair(1, 2, at(0));
    let weak = table.find(2, at(0)).expect("live").downgrade();
    drop(flow);
    let strong = weak.clone().upgrade().expect("the table holds it");
    assert_eq!((strong.direction(), strong.status()), (Direction::Reply, Status::Active));
    drop(table.remove(&TestKey::from(1)));
    assert_eq!(weak.upgrade(), Some(strong.clone()), "a handle holds it");
    drop(strong);
    assert!(weak.upgrade().is_none() && table.ledger().is_dropped(0));
    drop(table.put(1, at(0)));
    assert!(weak.upgrade().is_none(), "a new flow is another one, wherever it lies");
}

/// The table, handles and weak references may be sent to any thread, and used by several at the same time.
pub fn go_to_any_thread<B: Backend>(setup: Setup) {
    fn for_threads<T: Send + Sync>() {}
    for_threads::<TestTable<B>>();
    for_threads::<TestRef<B>>();
    for_threads::<<TestRef<B> as FlowRef<TestKey, TestValue>>::Weak>();

    let table = Fixture::<B>::new(setup, 4);
    let flows = race(4, |thread| table.put(thread as u64, at(0)));
    let flows = &flows;
    race(4, |thread| {
        for flow in flows {
            let copy = flow.clone();
            assert!(copy.refresh(at(thread as u64)));
            assert_eq!(copy.downgrade().upgrade().as_ref(), Some(flow));
        }
    });
    race(4, |thread| assert!(flows[thread].cancel()));
    assert_eq!(race(1, |_| table.reap_all(at(0)))[0].cancelled, 4);
}

/// No operation waits for handles and snapshots, however many this thread or others hold.
pub fn held_ones_block_nothing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 100);
    for key in 0..50 {
        drop(table.put(key, at(0)));
    }
    let held: Vec<_> = (0..200).map(|index| table.find(index % 50, at(0))).collect();
    let snapshot = table.snapshot();
    let others = race(2, |_| {
        let snapshot = table.snapshot();
        for key in 0..25 {
            drop(table.insert(table.flow(key), at(0)).expect("there is room"));
            drop(table.remove(&TestKey::from(key + 25)));
            drop(table.find(key, at(60)));
        }
        table.shrink_to_fit();
        snapshot
    });
    assert_eq!(table.retain(|_| true), 0);
    table.reap_all(at(60));
    assert_eq!(table.len(), 0);
    assert!(held.iter().flatten().chain(&snapshot).all(|flow| flow.status() != Status::Active));
    drop((held, snapshot, others));
    assert_eq!(table.ledger().dropped(), table.ledger().made());
}

/// A table refuses the handles of another one, and does nothing to their flows.
pub fn of_other_tables_are_refused<B: Backend>(setup: Setup) {
    let (table, other) = (Fixture::<B>::new(setup, 2), Fixture::<B>::new(setup, 2));
    let active = other.put(1, at(0));
    let detached = other.put(2, at(0));
    assert_eq!(other.remove_flow(&detached), Ok(true));
    drop(table.put(1, at(0)));
    for flow in [&active, &detached] {
        let before = (flow.status(), flow.deadline(), flow.timeout());
        assert_eq!(table.remove_flow(flow), Err(ForeignFlow));
        assert_eq!(table.reinsert(flow, at(1)), Err(ReinsertError::Foreign(ForeignFlow)));
        assert_eq!((flow.status(), flow.deadline(), flow.timeout()), before);
    }
    assert!(other.is_live(1, at(0)) && table.is_live(1, at(0)));
    assert_eq!((table.stats().ended.total(), other.stats().ended.removed), (0, 1));
}

/// When the table is dropped, active flows become detached. Their handles can be read, cancelled and dropped.
pub fn outlive_the_table<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    let flows: Vec<_> = (0..4).map(|key| table.put_pair(key, 100 + key, at(0))).collect();
    let weak: Vec<_> = flows.iter().map(FlowRef::downgrade).collect();
    let unheld = weak[3].clone();
    assert!(flows[1].cancel());
    assert_eq!(table.status_of(2, at(60)), Some(Status::Expired));
    let ledger = table.close();

    let statuses = flows.iter().map(|flow| flow.status());
    assert!(statuses.eq([Status::Detached, Status::Cancelled, Status::Expired, Status::Detached]));
    for (serial, flow) in flows.iter().enumerate() {
        assert!(!flow.cancel() && !flow.refresh(at(0)));
        assert_eq!(
            (flow.value().serial(), flow.deadline(), *flow.key()),
            (serial, at(60), (serial as u64).into())
        );
        assert_eq!(weak[serial].upgrade().as_ref(), Some(flow));
    }
    let status = flows[0].status();
    assert_eq!(status, Status::Detached, "cancelling it did nothing");
    drop(flows);
    assert!(unheld.upgrade().is_none());
    assert_eq!((ledger.dropped(), ledger.faults().len()), (4, 0));
}

/// A handle of a dropped table is foreign to every other table, wherever that table is in memory.
pub fn of_tables_gone_are_refused<B: Backend>(setup: Setup) {
    for _ in 0..10 {
        let table = Fixture::<B>::new(setup, 1);
        let flow = table.put(1, at(0));
        drop(table.close());
        let next = Fixture::<B>::new(setup, 1);
        assert_eq!(next.remove_flow(&flow), Err(ForeignFlow));
        assert_eq!(next.reinsert(&flow, at(0)), Err(ReinsertError::Foreign(ForeignFlow)));
    }
}

/// Handles are dropped and cancelled on other threads while the table is dropped.
pub fn may_go_while_the_table_goes<B: Backend>(setup: Setup) {
    fn hash_of(flow: &impl Hash) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(flow)
    }
    for _ in 0..crate::fixture::rounds(50) {
        let table = Fixture::<B>::new(setup, 20);
        let flows: Vec<_> = (0..20).map(|key| table.put(key, at(0))).collect();
        let slots = [Mutex::new(Some(flows.clone())), Mutex::new(Some(flows))];
        let table = Mutex::new(Some(table));
        let ledgers = race(3, |thread| {
            if let Some(slot) = slots.get(thread) {
                for flow in slot.lock().expect("no panic").take().into_iter().flatten() {
                    let _ = (flow.cancel(), flow.status(), hash_of(&flow));
                }
                return None;
            }
            table.lock().expect("no panic").take().map(Fixture::abandon)
        });
        for ledger in ledgers.into_iter().flatten() {
            assert_eq!(ledger.faults(), [""; 0]);
        }
    }
}
