use flow_table_api::{Budget, EndReason, Flow, FlowRef, Status, Table};

use crate::fixture::{Fixture, TestKey, at};
use crate::{Backend, Setup};

/// Each ended flow is handed over once, still readable, with the reason. Removed and replaced flows are not handed
/// over.
pub fn hands_each_ended_flow_over_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    let flows: Vec<_> = (0..6).map(|key| table.put(key, at(0)).downgrade()).collect();
    drop(table.find(1, at(60)));
    drop(table.insert(table.flow(1), at(60)).expect("there is room"));
    assert!(table.find(2, at(0)).expect("live").cancel());
    drop(table.insert(table.flow(2), at(60)).expect("there is room"));
    drop(table.remove(&TestKey::from(3)));
    drop(table.insert(table.flow(4), at(0)).expect("replaces"));
    drop(flows);
    let mut seen = Vec::new();
    for _ in 0..3 {
        table.reap_with(at(60), Budget::UNLIMITED, |ended| {
            let status = match ended.reason {
                EndReason::Expired => Status::Expired,
                EndReason::Cancelled => Status::Cancelled,
                other => panic!("{other:?} is no reason to hand a flow over"),
            };
            assert_eq!(ended.flow.status(), status);
            assert!(!table.ledger().is_dropped(ended.flow.value().serial()));
            seen.push((ended.flow.value().serial(), ended.reason));
        });
    }
    seen.sort_unstable_by_key(|(serial, _)| *serial);
    let (expired, cancelled) = (EndReason::Expired, EndReason::Cancelled);
    // 8 replaced 4 at a time when it was live; 6 and 7 are live.
    assert_eq!(seen, [(0, expired), (1, expired), (2, cancelled), (5, expired), (8, expired)]);
}

/// The callback may use the table: insert, look up, end flows, even reap.
pub fn the_callback_may_use_the_table<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 12);
    for key in 0..10 {
        drop(table.put(key, at(0)));
    }
    let mut calls = 0;
    table.reap_with(at(60), Budget::UNLIMITED, |ended| {
        calls += 1;
        match calls {
            1 => {
                table.reap_with(at(60), Budget::flows(2), |_| calls += 1);
            }
            2..6 => {
                let key = *ended.flow.key();
                assert!(table.insert_if_absent(table.flow(key), at(60)).expect("there is room").is_inserted());
            }
            _ => assert!(table.reinsert(&ended.flow, at(60)).is_ok()),
        }
        drop((table.find(3, at(60)), table.snapshot(), table.stats(), table.len()));
    });
    assert_eq!(calls, 10);
    assert_eq!(table.snapshot().len(), table.len());
}
