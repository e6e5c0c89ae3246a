//! At rest, with no burst open, nothing waits. A burst that never closes delays nothing else.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use flow_table_api::{Budget, Burst, Flow, Status, Table};

use crate::backend::OpenBurst;
use crate::fixture::{Fixture, TestKey, at, race, rounds, secs};
use crate::history::Gate;
use crate::{Backend, Setup, TestRef};

/// A reap runs beside the end of the last burst, or beside some of which each may be the last. When all have
/// finished, the values of all ended flows have been dropped. No further operation is needed for that.
pub fn nothing_waits_without_a_burst<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let gate = Gate::new(2);
    let look = |burst: &OpenBurst<'_, B>, key: u64| {
        assert!(burst.get(&TestKey::from(key)).is_none_or(|flow| *flow.key() == key.into()));
    };
    let take_turns = |thread: usize, round: usize| {
        if thread == 0 {
            (0..2).for_each(|key| drop(table.put(key, at(0))));
        }
        let open = (thread > 0 && round.is_multiple_of(2)).then(|| table.burst(at(0)));
        let all_there = gate.pass(2 * round + 1);
        (0..round % 11).for_each(|_| spin_loop());
        if thread == 0 {
            assert_eq!(table.reap_all(at(60)).expired, 2);
        } else if let Some(burst) = open {
            look(&burst, round as u64 % 3);
        } else {
            (0..1 + round as u64 % 7).for_each(|key| look(&table.burst(at(0)), key));
        }
        all_there && gate.pass(2 * round + 2)
    };
    race(2, |thread| {
        let _guard = gate.guard();
        for round in (0..rounds(2_000)).take_while(|&round| take_turns(thread, round)) {
            let dropped = [2 * round, 2 * round + 1].map(|serial| table.ledger().is_dropped(serial));
            assert_eq!((dropped, table.stats().waiting), ([true; 2], 0), "round {round}");
        }
    });
}

/// A burst that is forgotten blocks no operation, and no end of the table. Flows that it has not borrowed are
/// dropped with the table and its handles at the latest. Flows that it has borrowed may be held for ever, by
/// backends whose bursts hold references.
pub fn a_forgotten_burst_holds_nothing_up<B: Backend>(setup: Setup) {
    for (borrows, keeps) in [(false, false), (false, true), (true, false), (true, true)] {
        let table = Fixture::<B>::new(setup, 20);
        let mut flows: Vec<_> = (0..10).map(|key| table.put(key, at(0))).collect();
        let burst = table.burst(at(0));
        assert!(!borrows || burst.get(&TestKey::from(0)).is_some_and(|flow| flow.status() == Status::Active));
        std::mem::forget(burst);

        assert!(table.remove(&TestKey::from(1)).is_some());
        assert!(flows[2].cancel());
        assert!(table.insert(table.flow(3), at(0)).expect("replaces").replaced.is_some());
        assert!(table.find(4, at(60)).is_some_and(|flow| flow.status() == Status::Expired));
        assert!(table.burst(at(30)).get(&TestKey::from(5)).is_some_and(|flow| flow.refresh(at(30))));
        if !keeps {
            flows.clear();
        }
        table.reap_all(at(60));
        (20..25).for_each(|key| drop(table.put(key, at(60))));
        assert!(table.is_live(5, at(60)) && table.is_live(24, at(60)));
        table.shrink_to_fit();

        let ledger = table.abandon();
        for flow in &flows {
            assert!(flow.status() != Status::Active && !ledger.is_dropped(flow.value().serial()));
        }
        drop(flows);
        let late = (usize::from(borrows)..ledger.made()).find(|&serial| !ledger.is_dropped(serial));
        assert_eq!(late, None, "kept by a burst that did not borrow it");
    }
}

/// A held flow expires in look-ups and is put back, again and again, while nobody reaps.
pub fn ends_taken_back_pile_nothing_up<B: Backend>(setup: Setup) {
    piles_nothing_up::<B>(setup, |table, held, second| {
        let flow = held.get_or_insert_with(|| table.put_flow(table.flow(1).timeout(secs(1)), at(0)));
        assert_eq!(table.status_of(1, at(second + 1)), Some(Status::Expired));
        drop(table.reinsert(flow, at(second + 1)).expect("it has its place"));
    });
}

/// Ends that are taken back, and then followed by others that no reap hears of.
pub fn ends_and_removals_pile_nothing_up<B: Backend>(setup: Setup) {
    piles_nothing_up::<B>(setup, |table, _, second| {
        let flow = table.put_flow(table.flow(1).timeout(secs(1)), at(second));
        assert_eq!(table.status_of(1, at(second + 1)), Some(Status::Expired));
        drop(table.reinsert(&flow, at(second + 1)).expect("it has its place"));
        assert_eq!(table.remove_flow(&flow), Ok(true));
    });
}

/// Ends that are taken back, and then followed by others of which only insertions hear that need room.
pub fn ends_and_cancellations_pile_nothing_up<B: Backend>(setup: Setup) {
    piles_nothing_up::<B>(setup, |table, _, second| {
        let flow =
            table.insert(table.flow(1).timeout(secs(1)), at(second)).expect("what is there was cancelled").flow;
        // Of the budget, nothing is left for anything else.
        let dying = table.stats().dying;
        assert_eq!((dying, table.reap(at(0), Budget::flows(dying)).cancelled), (usize::from(second > 0), dying));
        assert_eq!(table.status_of(1, at(second + 1)), Some(Status::Expired));
        drop(table.reinsert(&flow, at(second + 1)).expect("it has its place"));
        assert!(flow.cancel());
    });
}

/// `turn`, in a table for one flow, many times, at even seconds, with what it holds: memory does not grow, and one
/// reap with a budget of one costs what it costs after two turns.
fn piles_nothing_up<B: Backend>(setup: Setup, turn: impl Fn(&Fixture<B>, &mut Option<TestRef<B>>, u64)) {
    const FEW: u64 = 2;
    const MANY: u64 = if cfg!(miri) { 100 } else { 3_000 };
    /// Whatever belongs to one flow.
    const LEEWAY: usize = 1 << 14;
    let cost = |turns: u64| {
        let (table, mut held) = (Fixture::<B>::exactly(setup, 1), None);
        let mut turns = (0..turns).map(|turn| 2 * turn);
        turns.by_ref().take(FEW as usize).for_each(|second| turn(&table, &mut held, second));
        let before = table.memory();
        turns.by_ref().for_each(|second| turn(&table, &mut held, second));
        let after = table.memory();
        assert!(after <= before + LEEWAY, "memory grew from {before} bytes to {after}");
        let start = Instant::now();
        let mut report = table.reap(at(0), Budget::flows(1));
        let cost = start.elapsed();
        let mut reaps = 1;
        while report.more {
            assert!(report.visited() <= 1 && reaps < 10, "{report:?} of reap {reaps}");
            report = table.reap(at(0), Budget::flows(1));
            reaps += 1;
        }
        cost
    };
    // The best of some: the machine may do other things.
    let best = |turns| (0..3).map(|_| cost(turns)).min().unwrap_or_default();
    let (few, many) = (best(FEW), best(MANY));
    let limit = 20 * few.max(Duration::from_nanos(500));
    assert!(cfg!(miri) || many <= limit, "a reap took {few:?} after {FEW} turns, {many:?} after {MANY}");
}
