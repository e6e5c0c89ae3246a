//! The table as its handles see it.

use std::hash::{BuildHasher, Hash};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use flow_table_conformance::api::{Alarm, Flow, Key, KeyHash, KeyHasher, Status, TableConfig, Timestamp, Value};

use super::drops::drop_each;
use super::flaw::{self, Flaw};
use super::inner::{Inner, Spare};
use super::limbo::Limbo;
use super::lock::Lock;
use super::node::{Node, Records};

pub struct Shared<K: Key, V: Value> {
    pub hasher: KeyHasher,
    pub capacity: AtomicUsize,
    pub slack: Duration,
    pub period: Duration,
    pub alarm: Alarm,
    /// The number of samples taken.
    pub sampled: AtomicUsize,
    pub records: Option<Records<K, V>>,
    pub ids: AtomicU64,
    pub inner: Lock<Inner<K, V>>,
    pub limbo: Limbo<K, V>,
    flaw: Option<Flaw>,
}

impl<K: Key, V: Value> Shared<K, V> {
    pub fn new(config: &TableConfig, records: Option<Records<K, V>>) -> Self {
        let flaw = flaw::chosen();
        let config = if flaw == Some(Flaw::FixedSeed) { &config.clone().hash_seed(42) } else { config };
        Self {
            hasher: config.hasher(),
            capacity: AtomicUsize::new(config.capacity()),
            slack: config.slack(),
            period: config.asks_after(),
            alarm: Alarm::new(),
            sampled: AtomicUsize::new(0),
            records,
            ids: AtomicU64::new(0),
            inner: Lock::new(Inner::new(flaw)),
            limbo: Limbo::new(),
            flaw,
        }
    }

    /// Whether the table is broken in this way.
    pub fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The time under which a live flow is filed.
    pub fn filing(&self, deadline: Timestamp, now: Timestamp) -> Timestamp {
        if self.is(Flaw::AsksOnlyAboutTheDue) { deadline } else { deadline.min(now + self.period) }
    }

    /// Wakes those who sleep for longer.
    pub fn ring(&self, time: Timestamp) {
        let _lock = self.is(Flaw::WakesUnderLock).then(|| self.inner.write());
        let late = if self.is(Flaw::WakesForTheLatest) { Duration::from_secs(3_600) } else { Duration::ZERO };
        self.alarm.ring(time + late);
    }

    pub fn hash(&self, key: &(impl Hash + ?Sized)) -> u64 {
        KeyHash::new(self.hasher.hash_one(key)).get()
    }

    /// The flow `id` is gone: takes its slots out.
    pub fn clear(&self, id: u64, hashes: &[u64], made_room: bool) {
        match self.flaw {
            Some(Flaw::ReapLeavesSlots | Flaw::LookupClearsByKey | Flaw::InsertingClearsByTag) => return,
            Some(Flaw::DeadSlotsPileUp) if made_room => return,
            _ => {}
        }
        // A flow that goes under the lock is a flaw of its own.
        let Some(mut inner) = self.inner.write_unless_held() else { return };
        inner.unlink(id, hashes);
        if self.is(Flaw::DeadSlotRemovesByKey) {
            for &hash in hashes {
                inner.ids_under(hash).into_iter().for_each(|id| inner.unlink(id, &[hash]));
            }
        }
    }

    /// A place is taken while somebody looks, if the flaw is this one.
    pub fn hesitate(&self, flaw: Flaw) {
        if self.is(flaw) {
            self.inner.write().reserved += 1;
            std::thread::yield_now();
            self.inner.write().reserved -= 1;
        }
    }

    /// Drops what was looked at, and then returns the result. If these were dropped last, as variables, their
    /// panics would leak the result.
    pub fn give<R>(&self, result: R, spare: Spare<K, V>) -> R {
        if self.is(Flaw::PanicLeaksTheResult) {
            let result = ManuallyDrop::new(result);
            drop_each(spare);
            return ManuallyDrop::into_inner(result);
        }
        drop_each(spare);
        result
    }

    pub fn cancel(&self, node: &Node<K, V>) -> bool {
        let mut inner = self.inner.write();
        let cancelled = node.state.cancel();
        if cancelled || self.is(Flaw::CountsCancelsTwice) {
            inner.stats.ended.cancelled += 1;
        }
        if cancelled && self.is(Flaw::CancellingLeavesANote) {
            inner.notes.push(node.id);
        }
        if cancelled && !self.is(Flaw::CancelledFlowsLinger) {
            inner.file(node.id, Timestamp::ZERO);
        }
        if matches!(node.status(), Status::Cancelled | Status::Expired) {
            node.options.forget();
            inner.unlink(node.id, &node.hashes);
        }
        cancelled
    }
}
