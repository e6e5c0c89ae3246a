//! Flows that never expire are found all the time, while other flows come and go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use flow_table_api::{Budget, InsertError, NewFlow, NewFlowParts, Table, Timeout, Timestamp};

use crate::fixture::{Dice, Fixture, TestKey, TestValue, alike, at, hashed, race, rounds, secs};
use crate::sync::Arc;
use crate::{Backend, Setup};

/// In one thread: an insertion meets the slot of a dead flow, whose key has the same tag and another place.
///
/// Which bits of a hash make the tag, and which the place, is the backend's affair. So for each byte and each
/// other bit: the two flows agree in the byte and differ in the bit, and flows that stay, more than a place has
/// slots for, have the bit in common with the one that is inserted.
pub fn found_while_drops_insert<B: Backend>(setup: Setup) {
    for bit in 0..u64::BITS {
        let set = |hash: u64| hash >> bit & 1 != 0;
        let stay: Vec<_> = hashed(1 << 32, set).take(17).collect();
        for byte in (0..u64::BITS / 8).filter(|byte| *byte != bit / 8) {
            let has_bit = |id: u64| hashed(id, set).next() == Some(id);
            let dying = alike(byte).find(|&id| !has_bit(id)).expect("there are many");
            let next = alike(byte).find(|&id| has_bit(id)).expect("there are many");
            for stay in [&stay[..9], &stay[..13], &stay] {
                let table = Fixture::<B>::seeded(setup, stay.len() + 2);
                for &key in stay {
                    drop(table.put_flow(table.flow(key).timeout(Timeout::NEVER), at(0)));
                }
                insert_as_another_dies(&table, dying, next);
                drop(table.remove(&TestKey::from(next)).expect("inserted by a value's drop"));
                for &key in stay {
                    assert!(
                        table.is_live(key, at(20)),
                        "flow {key} is lost among {}: byte {byte}, bit {bit}",
                        stay.len()
                    );
                }
            }
        }
    }
}

/// A flow under `dying` expires and dies, and as it does its value inserts one under `next`.
fn insert_as_another_dies<B: Backend>(table: &Fixture<B>, dying: u64, next: u64) {
    let (weak, ledger) = (Arc::downgrade(table.shared()), table.ledger().clone());
    let value = table.ledger().value().on_drop(move || {
        let Some(table) = weak.upgrade() else { return };
        let flow = NewFlow::new(next.into(), ledger.value()).timeout(Timeout::NEVER);
        drop(table.insert(flow, at(20)).expect("there is room"));
    });
    let held = table.put_flow(NewFlow::new(dying.into(), value).timeout(secs(10)), at(0));
    assert_eq!(table.reap_all(at(15)).expired, 1, "found as long as it is held");
    drop(held);
}

/// Threads look up flows that stay, while others insert, expire, hold, remove and reap flows with similar hashes,
/// in tables with little room. The drops of values take long.
pub fn found_under_churn<B: Backend>(setup: Setup) {
    churn::<B>(setup, |flow, _| flow);
}

/// The same with a second key for each flow.
pub fn pairs_found_under_churn<B: Backend>(setup: Setup) {
    churn::<B>(setup, |flow, reply| flow.reply(reply));
}

type Flows = NewFlow<TestKey, TestValue>;

fn churn<B: Backend>(setup: Setup, with_reply: fn(Flows, TestKey) -> Flows) {
    const STABLE: usize = 13;
    const OTHERS: usize = 3;
    for byte in 0..u64::BITS / 8 {
        // In most hash tables the bits beside the tag are the place.
        let set = |hash: u64| hash.rotate_right(8 * byte + 8) & 3 == 3;
        let stay: Vec<_> = hashed(1 << 32, set).take(2 * STABLE).map(TestKey::new).collect();
        let come: Vec<_> = alike(byte).take(6 * OTHERS).map(TestKey::new).collect();
        let table = Fixture::<B>::seeded(setup, STABLE + OTHERS);
        let new = |keys: &[TestKey], key: usize| with_reply(table.flow(keys[2 * key]), keys[2 * key + 1]);
        for key in 0..STABLE {
            drop(table.put_flow(new(&stay, key).timeout(Timeout::NEVER), at(0)));
        }
        let time = Arc::new(AtomicU64::new(0));
        race(3, |thread| {
            let mut dice = Dice::new(byte as usize, thread);
            let mut held = Vec::new();
            for _ in 0..rounds(350) {
                // Relaxed: it only has to go on.
                let now = Timestamp::from_nanos(time.fetch_add(1, Ordering::Relaxed));
                let stays = stay[2 * dice.below(STABLE)];
                assert!(table.is_live(stays, now), "{stays:?} is not found, and could be inserted again");
                if thread == 0 {
                    continue;
                }
                let parts = new(&come, dice.below(3 * OTHERS)).into_parts();
                let time = Arc::clone(&time);
                let slow = NewFlowParts { value: parts.value.on_drop(move || let_some_pass(&time)), ..parts };
                let timeout = Duration::from_nanos(dice.below(3 * OTHERS) as u64);
                match table.insert(NewFlow::from(slow).timeout(timeout), now) {
                    Ok(inserted) => held.push(inserted.flow),
                    Err(InsertError::Full { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
                if dice.below(3) == 0 {
                    table.reap_with(now, Budget::UNLIMITED, drop);
                }
                if dice.below(4) == 0 {
                    drop(table.remove(&come[2 * dice.below(3 * OTHERS)]));
                }
                held.truncate(dice.below(2));
            }
        });
        for key in 0..STABLE {
            let found = table.insert_if_absent(new(&stay, key), at(1)).expect("it is there");
            assert!(!found.is_inserted(), "{:?} is there twice", stay[2 * key]);
        }
    }
}

/// Lets others do something meanwhile, if there is anybody.
fn let_some_pass(time: &AtomicU64) {
    let until = time.load(Ordering::Relaxed) + 4;
    (0..20).take_while(|_| time.load(Ordering::Relaxed) < until).for_each(|_| thread::yield_now());
}
