//! One rule each of what a standby does with batches, which come in the order that the test wants.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flow_table_api::{Budget, Flow as _, FlowKey, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::record::{Batch, Kind, Op};
use flow_table_replicate::transport::{Event, MemorySource, MemoryTransport, Source};
use flow_table_replicate::{
    ClusterKey, Counters, Epoch, Publisher, ReplicatedTable, Settings, ShardId, ShardSet, Standby, Sweeper,
    Tracked,
};

type Inner = flow_table_custom::FlowTable<FlowKey, Tracked<AtomicU64>>;
type Flows = ReplicatedTable<AtomicU64, Inner>;

const NOW: Timestamp = Timestamp::from_secs(1_000);
const TIMEOUT: Duration = Duration::from_secs(100);
const INTERVAL: Duration = Duration::from_secs(20);

fn settings() -> Settings {
    Settings::new(ClusterKey::new([4; 16])).sweep_interval(INTERVAL)
}

fn table(settings: Settings) -> Arc<Flows> {
    Arc::new(Flows::with_settings(TableConfig::new(1_000), settings, (FlowKeys, Postcard)))
}

fn key(id: u8) -> FlowKey {
    format!("udp 10.0.0.{id}:1000 > 10.9.9.9:53").parse().unwrap()
}

/// A table that publishes, and what it has published.
struct Owner {
    table: Arc<Flows>,
    publisher: Publisher<flow_table_replicate::transport::MemorySink>,
    source: MemorySource,
    sweeper: Sweeper,
}

impl Owner {
    fn new(settings: Settings) -> Self {
        let (table, log) = (table(settings), MemoryTransport::new(1 << 24));
        let publisher = Publisher::new(table.feed(), log.sink());
        Self { publisher, source: log.source(), sweeper: Sweeper::new(&table), table }
    }

    fn insert(&self, id: u8) {
        let flow = NewFlow::new(key(id), AtomicU64::new(id.into())).timeout(TIMEOUT);
        assert!(self.table.insert(flow, NOW).unwrap().replaced.is_none());
    }

    /// Changes the value of a flow.
    fn set(&self, id: u8, value: u64) {
        let flow = self.table.lookup(&key(id), NOW).unwrap();
        // Relaxed: one thread.
        flow.value().store(value, Ordering::Relaxed);
        self.table.touch(&flow, NOW);
    }

    /// What was published since the last call, without heartbeats.
    fn published(&mut self) -> Vec<Vec<u8>> {
        while self.publisher.flush(NOW) {}
        let mut batches = Vec::new();
        self.source.receive(Duration::ZERO, 1_000, &mut |batch| batches.push(batch.to_vec()), &mut |_| ());
        batches.retain(|batch| Batch::parse(batch).unwrap().header.kind != Kind::Heartbeat);
        batches
    }

    fn swept(&mut self) -> Vec<Vec<u8>> {
        let Self { table, publisher, sweeper, .. } = self;
        assert!(sweeper.sweep(
            table,
            || NOW,
            || {
                publisher.poll(NOW);
                true
            }
        ));
        self.published()
    }
}

/// Batches as the test delivers them.
#[derive(Clone, Default)]
struct Script(Arc<parking_lot::Mutex<VecDeque<Vec<u8>>>>);

impl Source for Script {
    fn receive(
        &mut self,
        _: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        _: &mut dyn FnMut(Event),
    ) -> usize {
        let batches: Vec<_> = std::iter::from_fn(|| self.0.lock().pop_front()).take(limit).collect();
        batches.iter().for_each(|batch| deliver(batch));
        batches.len()
    }

    fn behind(&self) -> u64 {
        0
    }
}

struct Follower {
    table: Arc<Flows>,
    standby: Standby<FlowKey, AtomicU64, Inner, (FlowKeys, Postcard), Script>,
    script: Script,
}

impl Follower {
    fn new() -> Self {
        Self::of(table(settings().standby()))
    }

    fn of(table: Arc<Flows>) -> Self {
        let script = Script::default();
        Self { standby: Standby::new(Arc::clone(&table), script.clone()), table, script }
    }

    fn follow(&mut self, batches: impl IntoIterator<Item = Vec<u8>>) -> Counters {
        self.follow_at(NOW, batches)
    }

    fn follow_at(&mut self, now: Timestamp, batches: impl IntoIterator<Item = Vec<u8>>) -> Counters {
        self.script.0.lock().extend(batches);
        while self.standby.poll(now, Duration::ZERO, 10) > 0 {}
        self.table.feed().counters()
    }

    fn value(&self, id: u8) -> Option<u64> {
        Some(self.table.lookup(&key(id), NOW)?.value().load(Ordering::Relaxed))
    }
}

fn ops(batches: &[Vec<u8>]) -> Vec<Op> {
    batches
        .iter()
        .flat_map(|batch| Batch::parse(batch).unwrap().records().map(|record| record.unwrap().op))
        .collect()
}

#[test]
fn of_two_updates_the_later_one_counts_in_whatever_order_they_come() {
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::new());
    owner.insert(1);
    let begin = owner.published();
    owner.set(1, 10);
    let first = owner.published();
    owner.set(1, 11);
    let second = owner.published();
    follower.follow([second, first, begin].concat());
    assert_eq!((follower.value(1), follower.table.feed().counters().duplicates), (Some(11), 2));
}

#[test]
fn an_end_that_comes_first_is_the_end() {
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::new());
    owner.insert(1);
    let begin = owner.published();
    drop(owner.table.remove(&key(1)));
    let end = owner.published();
    owner.insert(1);
    let again = owner.published();
    follower.follow([end.clone(), begin.clone()].concat());
    assert_eq!(follower.value(1), None);
    follower.follow(again);
    follower.follow([end, begin].concat());
    assert_eq!(follower.value(1), Some(1), "the end of one life is not that of the next");
}

/// The publisher repeats a batch for seconds, and sweeps may follow each other quickly.
#[test]
fn a_beginning_that_comes_long_after_the_end_is_refused() {
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::new());
    owner.insert(1);
    let begin = owner.published();
    drop(owner.table.remove(&key(1)));
    follower.follow(owner.published());
    for _ in 0..4 {
        follower.follow(owner.swept());
    }
    let counters = follower.follow_at(NOW + Duration::from_secs(5), begin);
    assert_eq!((follower.value(1), counters.completed, counters.duplicates), (None, 4, 2));
}

#[test]
fn what_an_earlier_epoch_writes_after_the_claim_is_refused() {
    let (mut former, mut follower) = (Owner::new(settings()), Follower::new());
    let mut latter = Owner::new(settings().standby());
    former.insert(1);
    follower.follow(former.published());
    let epochs: Vec<_> = ShardId::all().map(|shard| (shard, Epoch::new(2))).collect();
    latter.table.feed().claim(&epochs).unwrap();
    follower.follow(latter.published());
    (2..100).for_each(|id| former.insert(id));
    former.set(1, 77);
    drop(former.table.remove(&key(1)));
    let counters = follower.follow([former.published(), former.swept()].concat());
    assert_eq!((follower.table.len(), follower.value(1)), (1, Some(1)), "{counters:?}");
    assert_eq!((counters.stale, counters.applied), (98 + 2 + 98, 1));
}

#[test]
fn a_flow_that_begins_during_a_sweep_survives_its_end() {
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::new());
    owner.insert(1);
    let begin = owner.published();
    let sweep = owner.swept();
    owner.insert(2);
    let later = owner.published();
    let (end, before) = sweep.split_last().unwrap();
    follower.follow([begin, before.to_vec(), later, vec![end.clone()]].concat());
    assert_eq!((follower.value(1), follower.value(2)), (Some(1), Some(2)));
    assert_eq!(follower.table.feed().counters().completed, 1);
}

#[test]
fn what_a_complete_sweep_does_not_name_goes_and_an_incomplete_one_drops_nothing() {
    let (mut owner, mut follower) = (Owner::new(settings().buffer_records(2)), Follower::new());
    (0..10).for_each(|id| owner.insert(id));
    follower.follow(owner.published());
    (0..5).for_each(|id| drop(owner.table.remove(&key(id))));
    let _lost = owner.published();
    let mut sweep = owner.swept();
    let spare = sweep.remove(1);
    let counters = follower.follow(sweep);
    assert_eq!((follower.table.len(), counters.completed), (10, 0));
    let counters = follower.follow([spare.clone(), spare]);
    assert_eq!((follower.table.len(), counters.completed, counters.unnamed), (5, 1, 5));
}

#[test]
fn a_lost_beginning_is_repeated_by_the_next_sweep() {
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::new());
    for first in [0, 50, 100] {
        (first..first + 50).for_each(|id| owner.insert(id));
        let _lost = owner.published();
        follower.follow(owner.swept());
        assert_eq!(follower.table.len(), first as usize + 50);
    }
}

#[test]
fn two_sweeps_repeat_everything_and_one_does_not() {
    let mut owner = Owner::new(settings());
    (0..200).for_each(|id| owner.insert(id));
    let _ = (owner.published(), owner.swept());
    let (second, third) = (owner.swept(), owner.swept());
    let whole = |sweep: &[Vec<u8>]| ops(sweep).iter().filter(|op| **op == Op::Checkpoint).count();
    assert_eq!((ops(&second).len(), ops(&third).len(), whole(&second) + whole(&third)), (200, 200, 200));
    assert!((50..150).contains(&whole(&second)));
    let mut follower = Follower::new();
    let counters = follower.follow([second, third].concat());
    assert_eq!((follower.table.len(), counters.completed), (200, 2));
}

#[test]
fn shards_that_lost_records_are_repeated_at_once_and_whole() {
    let mut owner = Owner::new(settings().buffer_records(1).ring_buffers(8));
    (0..8).for_each(|id| owner.insert(id));
    let _ = (owner.published(), owner.swept(), owner.swept());
    let soon = NOW + INTERVAL / 5;
    assert!(!owner.sweeper.is_due(soon));
    // Nobody empties the ring.
    (0..16).for_each(|id| owner.set(id % 8, 5));
    assert!(owner.table.feed().counters().dropped > 0 && owner.sweeper.is_due(soon));
    let _ = owner.published();
    let sweep = owner.swept();
    assert_eq!(ops(&sweep), [Op::Checkpoint; 8]);
}

#[test]
fn deadlines_are_the_standbys_own_and_run_out_by_themselves() {
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::new());
    owner.insert(1);
    let begin = owner.published();
    // Its clock is hours behind.
    let now = Timestamp::from_secs(5);
    follower.follow_at(now, begin);
    let flow = follower.table.lookup(&key(1), now).unwrap();
    assert_eq!(flow.deadline(), now + TIMEOUT + TIMEOUT / 4 + 2 * INTERVAL);
    let mut ended = Vec::new();
    let report = follower.table.reap_with(flow.deadline(), Budget::UNLIMITED, |flow| ended.push(flow));
    assert_eq!((report.expired, ended.len(), follower.table.len()), (1, 0, 0), "it is its owner's to export");
    assert_eq!(follower.table.feed().counters().not_exported, 1);
}

#[test]
fn a_follower_with_another_cluster_key_takes_nothing() {
    let mut owner = Owner::new(Settings::new(ClusterKey::new([5; 16])));
    (0..100).for_each(|id| owner.insert(id));
    let mut follower = Follower::new();
    let counters = follower.follow(owner.published());
    // Some are in the same shard by chance.
    assert!(counters.misplaced > 90 && counters.misplaced + counters.applied == 100, "{counters:?}");
}

#[test]
fn who_owns_a_shard_follows_nobody_in_it() {
    let (mut owner, other) = (Owner::new(settings()), Owner::new(settings()));
    owner.insert(1);
    let script = Script::default();
    script.0.lock().extend(owner.published());
    let mut standby = Standby::new(Arc::clone(&other.table), script);
    assert_eq!(standby.poll(NOW, Duration::ZERO, 10), 1);
    assert_eq!((other.table.len(), other.table.feed().counters().stale), (0, 1));
    assert_eq!(other.table.feed().ownership().owned(), ShardSet::ALL);
}

#[test]
fn a_standbys_flows_leave_no_records_and_an_owners_do() {
    let records = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&records);
    let (config, codec) = (TableConfig::new(1_000), (FlowKeys, Postcard));
    let record = move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let table = Flows::with_settings_and_records(config, settings().standby(), codec, record);
    let (mut owner, mut follower) = (Owner::new(settings()), Follower::of(Arc::new(table)));
    (0..10).for_each(|id| owner.insert(id));
    (0..10).for_each(|id| owner.set(id, 99));
    drop(owner.table.remove(&key(0)));
    follower.follow(owner.published());
    follower.table.reap(NOW, Budget::UNLIMITED);
    assert_eq!((follower.table.len(), records.load(Ordering::Relaxed)), (9, 0));
    let epochs: Vec<_> = ShardId::all().map(|shard| (shard, Epoch::new(2))).collect();
    assert_eq!(follower.table.feed().own(&epochs), ShardSet::ALL);
    drop(follower.table.remove(&key(1)));
    follower.table.reap(NOW, Budget::UNLIMITED);
    assert_eq!(records.load(Ordering::Relaxed), 1);
}
