//! Full tables that end live flows, because their owner asks for it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use flow_table_api::{EndReason, Flow, InsertError, Status, Table};

use crate::fixture::{Fixture, at, race, rounds};
use crate::{Backend, Setup};

/// Among the flows that it looks at, the one of the lowest rank goes, with a reason of its own; flows without a
/// rank stay. Without a call, a full table refuses.
pub fn the_lowest_rank_goes<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 6);
    for id in 0..6 {
        drop(if id % 2 == 0 { table.put(id, at(0)) } else { table.put_pair(id, 100 + id, at(0)) });
    }
    assert!(matches!(table.insert_if_absent(table.flow(9), at(0)), Err(InsertError::Full { .. })));
    assert!(table.evict(6, |_| None::<u8>).is_none(), "nobody has a rank");
    let held = table.find(3, at(0)).expect("live");
    let rank = |serial: usize| if serial == 0 { None } else { Some(serial.abs_diff(3)) };
    let evicted = table.evict(6, |flow| rank(flow.value().serial())).expect("three");
    assert_eq!(
        (&evicted.flow, evicted.reason, evicted.flow.status()),
        (&held, EndReason::Evicted, Status::Detached)
    );
    assert!(table.find(3, at(0)).is_none() && table.find(103, at(0)).is_none());
    assert_eq!((table.len(), table.stats().ended.evicted, table.stats().ended.removed), (5, 1, 0));
    assert!(table.insert_if_absent(table.flow(9), at(0)).is_ok_and(|admission| admission.is_inserted()));
    drop((evicted, held));
    assert_eq!(table.evict(0, |_| Some(0)).map(|ended| ended.reason), None, "it looks at nobody");
    let mut looks = 0;
    let evicted = table.evict(2, |_| {
        looks += 1;
        assert_eq!(table.len(), 6, "under no lock");
        Some(looks)
    });
    assert!(evicted.is_some() && looks == 2);
    let flow = table.find(0, at(0)).unwrap_or_else(|| table.put(0, at(0)));
    assert!(flow.cancel());
    table.for_each(|flow| assert_eq!(table.evict_flow(flow), Ok(true)));
    assert!(table.evict(9, |_| Some(0)).is_none(), "ended flows are the next reap's");
}

/// Samples visit active flows, each once at most, and many samples visit all of them.
pub fn samples_go_round<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 300);
    table.sample(9, |_| panic!("the table is empty"));
    let flows: Vec<_> = (0..300)
        .map(|id| if id % 3 == 0 { table.put_pair(id, 1_000 + id, at(0)) } else { table.put(id, at(0)) })
        .collect();
    for flow in flows.iter().skip(1).step_by(10) {
        assert!(flow.cancel());
    }
    let mut seen = HashSet::new();
    for _ in 0..600 {
        let mut now = Vec::new();
        table.sample(16, |flow| {
            assert_eq!(flow.status(), Status::Active);
            now.push(flow.value().serial());
        });
        assert!(!now.is_empty() && now.len() <= 16);
        assert_eq!(now.iter().collect::<HashSet<_>>().len(), now.len(), "twice in one sample");
        seen.extend(now);
    }
    assert_eq!(seen.len(), 270);
    let mut all = 0;
    table.sample(usize::MAX, |_| all += 1);
    assert_eq!(all, 270, "whoever asks for all gets all");
}

/// Threads that insert into a full table and evict: the limit holds, and each flow that went was handed over once.
pub fn nothing_is_lost_under_a_flood<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 10);
    let (inserted, evicted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    race(3, |thread| {
        for round in 0..rounds(500) as u64 {
            let mut flow = table.flow(thread as u64 * 1_000_000 + round);
            for _ in 0..4 {
                match table.insert_if_absent(flow, at(0)) {
                    Err(InsertError::Full { flow: refused, .. }) => flow = refused,
                    other => {
                        assert!(other.expect("nothing else hinders").is_inserted());
                        inserted.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                }
                if let Some(ended) = table.evict(4, |flow| Some(flow.value().serial())) {
                    assert_eq!(ended.reason, EndReason::Evicted);
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
                assert!(table.len() <= 10);
            }
        }
    });
    let (inserted, evicted) = (inserted.into_inner(), evicted.into_inner());
    assert_eq!((inserted - evicted, table.stats().ended.evicted), (table.len(), evicted as u64));
    assert!(inserted > 100, "{inserted}");
}
