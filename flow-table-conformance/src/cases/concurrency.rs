use std::thread;

use flow_table_api::{Flow, ReinsertError, Table};

use crate::fixture::{Dice, Fixture, at, race, rounds};
use crate::history::{PROFILES, Profile, Seed, run};
use crate::{Backend, Setup};

/// What concurrent threads did to flows with one key each has a sequential explanation. The histories have from
/// one key that all threads want to many keys.
pub fn histories_of_one_key_are_linearizable<B: Backend>(setup: Setup) {
    histories::<B>(setup, |profile| !profile.has_pairs());
}

/// The same when flows have two keys: no half of a pair is ever seen.
pub fn histories_of_pairs_are_linearizable<B: Backend>(setup: Setup) {
    histories::<B>(setup, Profile::has_pairs);
}

fn histories<B: Backend>(setup: Setup, wanted: fn(Profile) -> bool) {
    for profile in (0..PROFILES.len()).filter(|&profile| wanted(PROFILES[profile])) {
        let runs = if PROFILES[profile].has_chosen_hashes() { 40 } else { 100 };
        let seeds: Vec<_> = (0..rounds(runs) as u64).map(|number| Seed::new(setup, profile, number)).collect();
        if let Err((Seed(seed), why)) = run::<B>(&seeds) {
            panic!("seed {seed:x} has no explanation: {why}");
        }
    }
}

/// While a key is replaced again and again, every look-up of it finds one flow or the other, live.
pub fn a_replaced_key_is_never_missing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    drop((table.put_pair(1, 2, at(0)), table.put(3, at(0))));
    race(3, |thread| {
        for round in 0..rounds(1_000) {
            if thread == 0 {
                let flow = if round % 2 == 0 { table.pair(2, 1) } else { table.pair(1, 2) };
                assert!(table.insert(flow, at(0)).expect("replaces").replaced.is_some());
                assert!(table.insert(table.flow(3), at(0)).expect("replaces").replaced.is_some());
            } else {
                for key in 1..=3 {
                    let found = table.find(key, at(0)).expect("the key is always there");
                    assert!(found.key() == &key.into() || found.reply_key() == Some(&key.into()));
                }
            }
        }
    });
    assert_eq!(table.len(), 2);
}

/// If several threads put a flow back, it is active, or has ended again, for those that are too late. It never
/// conflicts with itself.
pub fn no_flow_conflicts_with_itself<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    race(3, |thread| {
        for _ in 0..rounds(2_000) {
            // Whenever it was put back, a look-up finds it expired.
            match table.reinsert(&flow, at(if thread == 0 { 1_000 } else { 1_000_000 })) {
                Ok(_) | Err(ReinsertError::Active) => {}
                Err(other) => panic!("{other:?}"),
            }
            drop(table.find(1, at(2_000_000)));
        }
    });
    table.reap_all(at(3_000_000));
    assert_eq!((table.len(), table.stats().dying), (0, 0));
}

/// A thread that installs a flow finds it until it ends, whatever others do about the dead flows that had its key
/// before.
pub fn nobody_loses_a_flow_to_a_dead_one<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    race(4, |index| {
        let (mut dice, mut round) = (Dice::new(0, index), 0);
        // A thread that finds another's flow tries again.
        for _ in 0..rounds(20_000) {
            if round == rounds(300) {
                break;
            }
            let admission = table.insert_if_absent(table.flow(1), at(10)).expect("there is room");
            // Others have their turn, on a single processor too.
            thread::yield_now();
            let flow = if admission.is_inserted() { admission.into_flow() } else { continue };
            round += 1;
            for look in 0..3 {
                assert_eq!(table.find(1, at(10)).as_ref(), Some(&flow), "round {round}, look {look}");
            }
            match dice.below(4) {
                0 => assert!(flow.cancel()),
                1 => assert_eq!(table.remove_flow(&flow), Ok(true)),
                2 => {
                    // Expired, and found as such while this thread holds it, unless another flow has come.
                    flow.set_deadline(at(5)).expect("live");
                    drop(table.find(1, at(10)));
                }
                _ => {
                    flow.set_deadline(at(5)).expect("live");
                    table.reap_all(at(10));
                }
            }
            drop(flow);
            match dice.below(3) {
                0 => drop(table.find(1, at(10))),
                1 => assert!(!table.reap_all(at(10)).more),
                _ => {}
            }
        }
    });
    table.reap_all(at(10));
    assert_eq!((table.len(), table.stats().dying), (0, 0));
    assert_eq!(table.ledger().dropped(), table.ledger().made());
}
