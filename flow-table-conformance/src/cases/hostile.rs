use std::time::Duration;

use flow_table_api::{Budget, Burst, Flow, InsertError, NewFlow, ReinsertError, Status, Table, Timestamp};

use super::values::ends;
use crate::fixture::{Fixture, Meeting, TIMEOUT, TestKey, at, race, rounds, secs};
use crate::sync::Arc;
use crate::{Backend, Setup, TestRef};

const YEAR: u64 = 365 * 86_400;

/// Time stands still, jumps by thirty years, to its end and back, and timeouts have any length. At each moment,
/// exactly the flows that are due end.
pub fn time_goes_anywhere<B: Backend>(setup: Setup) {
    let moments = [0, 0, 5, 65, 30 * YEAR, 30 * YEAR, 5, 0, 60, 30 * YEAR + 1, 3, 40 * YEAR].map(at);
    let moments = moments.into_iter().chain([Timestamp::MAX, at(7), Timestamp::MAX, Timestamp::ZERO, at(67)]);
    let timeouts = [Duration::ZERO, Duration::from_nanos(1), secs(60), secs(2 * YEAR), Duration::MAX];
    let table = Fixture::<B>::new(setup, 17 * timeouts.len());
    let mut there: Vec<TestRef<B>> = Vec::new();
    for (step, now) in (0..).zip(moments) {
        for (key, timeout) in (10 * step..).zip(timeouts) {
            let flow = table.put_flow(table.flow(key).timeout(timeout), now);
            assert_eq!(flow.deadline(), now + timeout, "inserted at {now:?}");
            there.push(flow);
        }
        for flow in there.iter().skip(step as usize % 3).step_by(3) {
            let (deadline, due) = (flow.deadline(), flow.deadline() <= now);
            assert_eq!(table.is_live(*flow.key(), now), !due, "found at {now:?}");
            assert_eq!(flow.refresh(now), !due);
            // Found due, it has ended.
            let refreshed =
                if due { deadline.max(Timestamp::from_nanos(1)) } else { deadline.max(now + flow.timeout()) };
            assert_eq!(flow.deadline(), refreshed, "refreshed at {now:?}");
        }
        let is_due = |flow: &mut TestRef<B>| flow.status() != Status::Active || flow.deadline() <= now;
        let due = there.extract_if(.., is_due).count();
        assert_eq!(table.reap_all(now).expired, due, "reaped at {now:?}");
        let first = there.iter().map(|flow| flow.deadline()).min();
        assert!(table.next_deadline().is_none_or(|next| first.is_some_and(|first| next <= first)), "at {now:?}");
        assert_eq!(table.len(), there.len());
    }
}

/// A flood of one-packet flows at capacity. Each flow is refused and returned. Once flows are due, the flood is
/// let in, and the next reap hands over each flow that made room, once.
pub fn a_flood_is_refused_and_then_let_in<B: Backend>(setup: Setup) {
    const CAPACITY: u64 = 50;
    let table = Fixture::<B>::exactly(setup, CAPACITY as usize);
    (0..CAPACITY).for_each(|key| drop(table.put(key, at(0))));
    let flood = CAPACITY..10 * CAPACITY;
    for key in flood.clone() {
        let now = at(key % 60);
        let refused = match key % 2 {
            0 => table.insert(table.flow(key), now).map(drop),
            _ => table
                .get_or_insert_with(table.spec(key).reply((1_000 + key).into()), now, || table.value())
                .map(drop),
        };
        match refused {
            Err(InsertError::Full { flow, .. }) => assert_eq!(flow.value().serial() as u64, key),
            other => panic!("{other:?} of flow {key}"),
        }
    }
    assert_eq!((table.len() as u64, table.stats().refusals), (CAPACITY, 9 * CAPACITY));
    assert!((0..CAPACITY).all(|key| table.is_live(key, at(59))), "a live flow was evicted");
    let (mut let_in, mut refused) = (0, 0);
    for key in flood {
        match table.insert(table.flow(key), at(60)) {
            Ok(_) => let_in += 1,
            Err(InsertError::Full { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert!(table.len() as u64 <= CAPACITY);
    }
    assert_eq!((let_in, refused, table.stats().dying as u64), (CAPACITY, 8 * CAPACITY, CAPACITY));
    let mut handed_over = Vec::new();
    table.reap_with(at(60), Budget::UNLIMITED, |ended| handed_over.push(ended.flow.value().serial()));
    handed_over.sort_unstable();
    assert!(handed_over.into_iter().eq(0..CAPACITY as usize), "each flow of the first wave is handed over once");
}

/// The limit is zero, is raised to one, and is lowered to zero while the table is full and its flow is due.
pub fn the_limit_goes_anywhere<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 0);
    let is_refused = |key: u64, now, limit: usize| {
        let refused = table.insert(table.flow(key), now);
        matches!(refused, Err(InsertError::Full { capacity, .. }) if capacity == limit)
    };
    assert!(is_refused(1, at(0), 0));
    assert_eq!((table.len(), table.reap_all(at(0)).visited(), table.next_deadline()), (0, 0, None));

    table.set_capacity(1);
    let first = table.put(1, at(0));
    assert!(is_refused(2, at(59), 1));
    drop(table.insert(table.flow(2), at(60)).expect("the first flow is due"));
    assert_eq!((first.status(), table.len(), table.stats().dying), (Status::Expired, 1, 1));

    table.set_capacity(4);
    (3..6).for_each(|key| drop(table.put(key, at(60))));
    table.set_capacity(0);
    assert!(is_refused(9, at(60), 0));
    assert_eq!(table.reinsert(&first, at(60)), Err(ReinsertError::Full { capacity: 0 }));
    assert!(table.insert(table.flow(3), at(60)).expect("replacing needs no room").replaced.is_some());
    assert!(table.remove(&TestKey::from(4)).is_some());
    assert_eq!((table.capacity(), table.len(), table.stats().dying), (0, 3, 1));
    assert!(is_refused(9, at(120), 0), "what is due is less than what is too much");
    assert_eq!((table.len(), table.stats().dying), (3, 1), "with a limit of zero, nothing may die");
    assert_eq!(table.reap_all(at(120)).expired, 4, "a refused insertion let something go");
    assert!(is_refused(9, at(120), 0));

    table.set_capacity(usize::MAX);
    drop(table.put(9, at(120)));
}

/// The limit moves while threads insert and remove. It is never exceeded, not even by insertions that were running
/// when it fell, and applies from the moment at which it was set.
pub fn the_limit_moves_under_a_race<B: Backend>(setup: Setup) {
    const MOST: usize = 3;
    let table = Fixture::<B>::exactly(setup, MOST);
    for round in 0..rounds(50) {
        race(4, |thread| {
            for step in 0..12 {
                let key = 100 * thread as u64 + step;
                if thread == 0 {
                    table.set_capacity([0, MOST, 1, MOST][step as usize % 4]);
                    continue;
                }
                match table.insert(table.flow(key), at(0)) {
                    Ok(inserted) => drop(inserted),
                    Err(InsertError::Full { capacity, .. }) => assert!(capacity <= MOST),
                    Err(other) => panic!("{other:?}"),
                }
                assert!(table.len() <= MOST, "round {round}: {} flows", table.len());
                if step % 3 == 0 {
                    drop(table.remove(&TestKey::from(key)));
                }
            }
        });
        table.set_capacity(0);
        let refused = race(2, |thread| table.insert(table.flow(1_000 + thread as u64), at(0)).is_err());
        assert_eq!(refused, [true; 2], "round {round}: a limit of zero");
        let held = table.len();
        assert_eq!((table.retain(|_| false), table.len()), (held, 0), "round {round}");
        assert_eq!(table.ledger().dropped(), table.ledger().made(), "round {round}");
    }
}

/// Uses every operation on a table in which flow 1 is about to end, or has ended.
fn use_in_every_way<B: Backend>(table: &Fixture<B>) {
    let everywhere = [1, 3, 4, 5, 6, 7].map(TestKey::new);
    for now in [at(0), at(60)] {
        table.lookup_batch(&everywhere, now, &mut Vec::new());
        assert!(table.burst(now).get(&TestKey::from(8)).is_none());
        drop(table.insert(table.flow(1), now).expect("there is room"));
        drop(table.insert_if_absent(table.pair(4, 5), now).expect("there is room"));
        let spec = table.spec(6).reply(7.into());
        drop(table.get_or_insert_with(spec, now, || table.value()).expect("there is room"));
        let _ = table.find(4, now).map(|flow| (flow.cancel(), table.remove_flow(&flow)));
        table.for_each(|flow| assert!(flow.set_deadline(now + TIMEOUT).is_ok()));
        table.reap_all(now);
        drop((table.remove(&TestKey::from(1)), table.snapshot(), table.stats(), table.next_deadline()));
        table.shrink_to_fit();
    }
}

/// While a value's `Drop` takes long, other threads use the table in every way, also with the same key.
pub fn a_slow_drop_delays_nobody_else<B: Backend>(setup: Setup) {
    for (name, end) in ends::<B>() {
        let (table, meeting) = (Fixture::<B>::new(setup, 8), Arc::new(Meeting::default()));
        let slow = Arc::clone(&meeting);
        let value = table.ledger().value().on_drop(move || slow.pause());
        let serial = value.serial();
        drop(table.put_flow(NewFlow::new(1.into(), value), at(0)));
        drop(table.put(3, at(0)));
        race(2, |thread| match thread {
            0 => end(&table),
            _ => meeting.during_the_pause(|| use_in_every_way(&table)),
        });
        assert!(table.ledger().is_dropped(serial), "{name}");
    }
}

/// While a callback takes long, other threads use the table in every way, also with the flow that it received.
pub fn a_slow_callback_delays_nobody_else<B: Backend>(setup: Setup) {
    type Slow<B> = fn(&Fixture<B>, &mut dyn FnMut());
    let callbacks: [(&str, Slow<B>); 5] = [
        ("make", |table, pause| {
            let make = || {
                pause();
                table.value()
            };
            drop(table.get_or_insert_with(table.spec(8), at(0), make).expect("there is room"));
        }),
        ("visit", |table, pause| table.for_each(|_| pause())),
        ("keep", |table, pause| {
            table.retain(|_| {
                pause();
                true
            });
        }),
        ("reap_with", |table, pause| {
            table.reap_with(at(60), Budget::UNLIMITED, |_| pause());
        }),
        ("reap_local_with", |table, pause| {
            table.reap_local_with(at(60), Budget::UNLIMITED, |_| pause());
        }),
    ];
    for (name, slow) in callbacks {
        let (table, meeting) = (Fixture::<B>::new(setup, 9), Meeting::default());
        drop(table.put(3, at(0)));
        let mut paused = false;
        let pause = || {
            if !std::mem::replace(&mut paused, true) {
                meeting.pause();
            }
        };
        // Flow 1 belongs to this thread, so that its local reap finds it.
        drop(table.put(1, at(0)));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| meeting.during_the_pause(|| use_in_every_way(&table)));
            slow(&table, &mut { pause });
            other.join().expect("no panic");
        });
        assert!(paused, "{name} was not called");
    }
}

/// Callbacks call operations with callbacks, also the same operation. Every flow is handed over once, visited
/// while it is in the table, and installed once.
pub fn callbacks_may_nest<B: Backend>(setup: Setup) {
    fn reap<B: Backend>(table: &Fixture<B>, depth: usize, seen: &mut Vec<usize>) {
        table.reap_with(at(60), Budget::flows(40), |ended| {
            seen.push(ended.flow.value().serial());
            if depth < 4 {
                reap(table, depth + 1, seen);
            }
            table.for_each(|flow| assert!(*flow != ended.flow, "visited after its end"));
            drop(ended);
        });
    }
    const FLOWS: usize = 200;
    let table = Fixture::<B>::new(setup, FLOWS);
    let mut seen = Vec::new();
    (0..FLOWS as u64).for_each(|key| drop(table.put_pair(key, 1_000 + key, at(0))));
    while table.len() > 0 {
        reap(&table, 0, &mut seen);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..FLOWS), "each flow is handed over once");

    (0..20).for_each(|key| drop(table.put(key, at(60))));
    let mut removed = 0;
    table.for_each(|outer| {
        assert!(outer.is_live(at(60)), "visited after its end");
        removed += table.retain(|inner| inner == outer);
    });
    assert_eq!((removed, table.len()), (19, 1));

    let make = || {
        let inner = table.get_or_insert_with(table.spec(500), at(60), || table.value()).expect("there is room");
        assert!(inner.is_inserted(), "there was nothing");
        table.value()
    };
    let outer = table.get_or_insert_with(table.spec(500), at(60), make).expect("there is room");
    assert!(!outer.is_inserted(), "the inner call came first");
}

/// The `Drop` of one value ends the next flow, and so on. All of them are dropped, nested in each other.
pub fn drops_may_follow_each_other<B: Backend>(setup: Setup) {
    const FLOWS: u64 = 50;
    let table = Fixture::<B>::new(setup, FLOWS as usize);
    for key in 0..FLOWS {
        let weak = Arc::downgrade(table.shared());
        let value = table.ledger().value().on_drop(move || {
            let Some(table) = weak.upgrade() else { return };
            let _ = table.lookup(&TestKey::from(key + 1), at(0)).map(|next| next.cancel());
            table.reap(at(0), Budget::UNLIMITED);
        });
        drop(table.put_flow(NewFlow::new(key.into(), value), at(0)));
    }
    drop(table.remove(&TestKey::from(0)));
    assert_eq!((table.len(), table.ledger().dropped()), (0, FLOWS as usize));
}
