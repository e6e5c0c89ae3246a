//! Tests that flows which end leave nothing in the table, by its own books: neither slots nor entries.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use flow_table_api::{Budget, Flow, KeyHasher, NewFlow, OnExpiry, TableConfig, Timestamp, Value};

use crate::burst::FlowBurst;
use crate::core::Core;
use crate::handle::StrongRef;
use crate::hash::{KeyHash, KeyHashes, hash_one};
use crate::ops::Mode;
use crate::sync::{Arc, Ordering};

const DUE: Timestamp = Timestamp::from_secs(10);

/// Slots and entries in use.
fn books<V>(core: &Core<u64, V>) -> (usize, usize) {
    let shards = (0..core.shards.len()).map(|shard| {
        let guard = core.shards.lock(shard);
        (guard.used_slots(), guard.entries())
    });
    shards.fold((0, 0), |all, shard| (all.0 + shard.0, all.1 + shard.1))
}

fn hash(key: &u64) -> KeyHash {
    KeyHash::new(hash_one(&KeyHasher::with_seed(7), key))
}

fn insert<V: Value>(core: &Core<u64, V>, flow: NewFlow<u64, V>) -> Option<StrongRef<u64, V>> {
    let hashes = KeyHashes { forward: hash(flow.key()), reply: flow.reply_key().map(hash) };
    core.insert(flow, hashes, Timestamp::ZERO, Mode::Replace).ok().map(|inserted| inserted.flow)
}

/// Forty flows, of which ten are held: four may be found after their end for that, and one of these is cancelled.
fn flows_come_and_go<V: Value>(value: fn() -> V, keys: usize, reap: fn(&Core<u64, V>) -> usize, burst: bool) {
    let core = Core::<u64, V>::new(&TableConfig::new(40).shards(2), None);
    let put = |key: u64| {
        let on_expiry = if key % 5 < 3 { OnExpiry::Remove } else { OnExpiry::KeepWhileReferenced };
        let flow = NewFlow::new(key, value()).timeout(Duration::from_secs(10)).on_expiry(on_expiry);
        let flow = if keys == 2 { flow.reply(1_000 + key) } else { flow };
        insert(&core, flow).expect("there is room")
    };
    let mut held: Vec<_> = (0..40).map(put).collect();
    held.truncate(10);
    assert_eq!(books(&core), (40 * keys, 40));
    let open = burst.then(|| FlowBurst::open(&core, &(), Timestamp::ZERO));
    assert!(held[9].cancel());
    assert_eq!(reap(&core), 40);
    assert_eq!(books(&core), (3 * keys, if burst { 40 } else { 10 }));
    drop(open);
    assert_eq!(books(&core), (3 * keys, 10));
    drop(held);
    assert_eq!(books(&core), (0, 0));
    Core::close(&core);
}

#[test]
fn of_flows_that_were_reaped_nothing_stays_but_what_is_found() {
    for (keys, burst) in [(1, false), (1, true), (2, false), (2, true)] {
        let reap = |core: &Core<_, _>| core.reap(DUE, Budget::UNLIMITED).visited();
        flows_come_and_go(|| (), keys, reap, burst);
        let reap = |core: &Core<_, _>| core.reap(DUE, Budget::UNLIMITED).visited();
        flows_come_and_go(|| Box::new(0), keys, reap, burst);
        let reap = |core: &Core<_, _>| core.reap_with(DUE, Budget::UNLIMITED, drop).visited();
        flows_come_and_go(|| Box::new(0), keys, reap, burst);
    }
}

/// A value that panics as it is dropped leaves its entry free.
#[test]
fn of_a_flow_whose_drop_panics_nothing_stays() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("as it should");
        }
    }
    let core = Core::<u64, Bad>::new(&TableConfig::new(1), None);
    let flow = NewFlow::new(1, Bad).reply(2);
    let flow = insert(&core, flow).expect("there is room");
    assert!(core.remove_flow(flow.at(), false));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(flow))).is_err());
    assert_eq!(books(&core), (0, 0));
    Core::close(&core);
}

/// The memory of a table goes with the last handle that needs it, or with the table.
#[test]
fn the_core_goes_with_the_last_that_needs_it() {
    for held in 0..3 {
        let core = Core::<u64, Box<u64>>::new(&TableConfig::new(9).shards(2), None);
        let weak = Arc::downgrade(&core);
        let put = |key: u64| {
            let flow = NewFlow::new(key, Box::new(key)).reply(1_000 + key);
            insert(&core, flow).expect("there is room")
        };
        let mut handles: Vec<_> = (0..9).map(put).collect();
        handles.truncate(held);
        Core::close(&core);
        drop(core);
        for _ in 0..held {
            assert_eq!(weak.strong_count(), 1, "{held} handles");
            handles.pop();
        }
        assert_eq!(weak.strong_count(), 0, "{held} handles");
    }
}

/// A shard's share of the keys goes to it, and each key to one segment of it.
#[test]
fn keys_spread_over_shards_and_their_segments() {
    let core = Core::<u64, ()>::new(&TableConfig::new(1_000_000).shards(16), None);
    let places: BTreeSet<_> = (0..100_000)
        .map(|key| {
            let hash = hash(&key);
            let index = &core.shards.index;
            (index.shard_of(hash), index.local(hash), std::ptr::from_ref(index.segment(hash)))
        })
        .collect();
    assert_eq!((core.shards.len(), places.len()), (16, 2_048));
    let shards: BTreeSet<_> = places.iter().map(|&(shard, local, _)| (shard, local)).collect();
    assert_eq!(shards.len(), 2_048);
    Core::close(&core);
}

/// Reaps begin at another shard each time, come by all of them, and know when nothing is left.
#[test]
fn a_reap_comes_by_every_shard() {
    let core = Core::<u64, ()>::new(&TableConfig::new(1_000).shards(64), None);
    for from in 0..64 {
        core.reap_from.store(from, Ordering::Relaxed);
        for key in 0..1_000 {
            let flow = NewFlow::new(key, ()).timeout(Duration::from_secs(10));
            assert!(insert(&core, flow).is_some());
        }
        let report = core.reap(DUE, Budget::flows(1_000));
        assert_eq!((report.expired, report.more), (1_000, false), "from shard {from}");
    }
    Core::close(&core);
}

/// The last entry of a full page, in its last generations: flows come and go as before, and it is not used again.
#[test]
#[cfg(not(flow_table_shuttle))]
fn an_entry_whose_generations_run_out_is_not_used_again() {
    let core = Core::<u64, ()>::new(&TableConfig::new(2_000).shards(1), None);
    let put = |key: u64| insert(&core, NewFlow::new(key, ())).is_some();
    let first = insert(&core, NewFlow::new(0, ())).expect("there is room");
    let page = first.at().page();
    drop(first);
    let is_full = || page.is_full(core.shards.lock(0).locked());
    for key in 1.. {
        assert!(put(key));
        if is_full() {
            break;
        }
    }
    assert!(core.remove(&7, hash(&7)).is_some() && !is_full());
    let Ok(vacant) = core.shards.lock(0).alloc(false, core.address()) else { panic!("one is free") };
    let place = vacant.age(i32::MAX as u32 - 2);
    core.shards.lock(0).free(place);
    for _ in 0..10 {
        assert!(put(7) && core.remove(&7, hash(&7)).is_some());
    }
    assert!(is_full(), "its last entry counts as in use for ever");
    assert!((0..10).all(|key| put(1_000_000 + key)), "elsewhere there is room");
    assert_eq!(core.verify(), Ok(()));
    Core::close(&core);
}

/// A notice that was left when the page belonged to another shard, or that is left too late: the reap of that
/// shard leaves the page's flows alone.
#[test]
fn a_notice_about_a_page_of_another_shard_is_nobodys() {
    let core = Core::<u64, ()>::new(&TableConfig::new(100).shards(2), None);
    let flow = insert(&core, NewFlow::new(1, ())).expect("there is room");
    let (page, index) = (flow.at().page(), flow.at().index());
    let other = 1 - flow.at().shard();
    assert!(flow.entry().state().cancel(), "without a notice to its own shard");
    core.shards.get(other).notices.leave(index.page(), page.notices(), index.place());
    core.shards.due.lower(other, Timestamp::ZERO);
    assert_eq!(core.reap(Timestamp::ZERO, Budget::UNLIMITED).visited(), 0);
    assert_eq!((books(&core), core.shards.capacity.held()), ((1, 1), 1));
    core.shards.notify(flow.at());
    assert_eq!(core.reap(Timestamp::ZERO, Budget::UNLIMITED).cancelled, 1);
    drop(flow);
    Core::close(&core);
}
