//! Time under control. The table never reads a clock, so a test or a replay decides what time it is, and never
//! sleeps.
//!
//! `cargo run --release --example manual_clock`

use std::time::Duration;

use flow_table::{Budget, Clock, Flow, FlowTable, ManualClock, NewFlow, OnExpiry, Status, Table, Timestamp};

fn main() {
    let clock = ManualClock::new(Timestamp::ZERO);
    let table = FlowTable::<&str, ()>::new(100);
    let seconds = Duration::from_secs;

    let flow = NewFlow::new("flow", ()).timeout(seconds(30)).on_expiry(OnExpiry::Remove);
    let flow = table.insert(flow, clock.now()).expect("room").flow;
    assert_eq!(flow.deadline(), Timestamp::from_secs(30));

    // A packet one second before the deadline moves it to 30 s from now, and a thousand more at the same time add
    // nothing.
    clock.advance(seconds(29));
    for _ in 0..1_000 {
        assert!(flow.refresh(clock.now()));
    }
    assert_eq!(flow.deadline(), Timestamp::from_secs(59));

    // Another thread read its clock earlier. An older time neither revives nor expires anything.
    assert!(flow.refresh(Timestamp::from_secs(3)));
    assert_eq!(flow.deadline(), Timestamp::from_secs(59));

    // The deadline passes. Nobody has reaped, but no look-up reports the flow as live, and no refresh is granted.
    clock.set(Timestamp::from_secs(59));
    assert!(!flow.refresh(clock.now()));
    assert!(table.lookup(&"flow", clock.now()).is_none());
    assert_eq!(flow.status(), Status::Expired);
    assert_eq!(table.len(), 1, "it waits for a reap, which hands it to whoever exports records");
    assert_eq!(table.reap(clock.now(), Budget::UNLIMITED).expired, 1);
    assert!(table.is_empty());

    // An ended flow that is still needed is put back with a new deadline. A closing connection gets a shorter one.
    table.reinsert(&flow, clock.now()).expect("nobody took the key");
    assert_eq!(flow.deadline(), Timestamp::from_secs(89));
    flow.set_timeout(seconds(2), clock.now()).expect("live");
    assert_eq!(flow.deadline(), Timestamp::from_secs(61));
    println!("{:?}: there is nothing to do before {:?}", clock.now(), table.next_deadline());

    // A silent hour later one reap collects everything that is due, without any traffic.
    for key in ["a", "b", "c"] {
        drop(table.insert(NewFlow::new(key, ()), clock.now()).expect("room"));
    }
    clock.advance(seconds(3_600));
    let report = table.reap(clock.now(), Budget::UNLIMITED);
    println!("{:?}: {} flows expired", clock.now(), report.expired);
    assert_eq!(report.expired, 4);
    assert_eq!(table.stats().ended.expired, 5);
    assert_eq!(table.next_deadline(), None);
}
