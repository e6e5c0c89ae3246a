//! The table as its handles see it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use flow_table_conformance::api::{Flow, Key, KeyHasher, Status, TableConfig, Timestamp, Value};

use super::drops::drop_each;
use super::flaw::{self, Flaw};
use super::inner::{Inner, Spare, has_tag_of};
use super::limbo::Limbo;
use super::lock::Lock;
use super::node::Node;

pub struct Shared<K: Key, V: Value> {
    pub hasher: KeyHasher,
    pub capacity: AtomicUsize,
    pub ids: AtomicU64,
    pub inner: Lock<Inner<K, V>>,
    /// Flows that are gone and may have left slots, with the hashes of their keys. No other lock is taken under
    /// this one.
    dead: Mutex<HashMap<u64, Vec<u64>>>,
    pub limbo: Limbo<K, V>,
    flaw: Option<Flaw>,
}

impl<K: Key, V: Value> Shared<K, V> {
    pub fn new(config: &TableConfig) -> Self {
        let flaw = flaw::chosen();
        let config = if flaw == Some(Flaw::FixedSeed) { &config.clone().hash_seed(42) } else { config };
        Self {
            hasher: config.hasher(),
            capacity: AtomicUsize::new(config.capacity()),
            ids: AtomicU64::new(0),
            inner: Lock::new(Inner::new(flaw)),
            dead: Mutex::default(),
            limbo: Limbo::new(),
            flaw,
        }
    }

    /// Whether the table is broken in this way.
    pub fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    pub fn with_dead<R>(&self, body: impl FnOnce(&mut HashMap<u64, Vec<u64>>) -> R) -> R {
        body(&mut self.dead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn note_dead(&self, id: u64, hashes: &[u64]) {
        self.with_dead(|dead| dead.insert(id, hashes.to_vec()));
    }

    /// A place is taken while somebody looks, if the flaw is this one.
    pub fn hesitate(&self, flaw: Flaw) {
        if self.is(flaw) {
            self.inner.write().reserved += 1;
            std::thread::yield_now();
            self.inner.write().reserved -= 1;
        }
    }

    /// Drops what was looked at, and then gives the result: as variables that go last these would leak it with
    /// their panics.
    pub fn give<R>(&self, result: R, spare: Spare<K, V>) -> R {
        if self.is(Flaw::PanicLeaksTheResult) {
            let result = ManuallyDrop::new(result);
            drop_each(spare);
            return ManuallyDrop::into_inner(result);
        }
        drop_each(spare);
        result
    }

    /// Whether a flow is gone that had a hash with this tag.
    pub fn has_dead_like(&self, hash: u64) -> bool {
        self.with_dead(|dead| dead.values().flatten().any(|other| has_tag_of(*other, hash)))
    }

    /// Whether a flow is gone that had `hash`.
    pub fn has_dead(&self, hash: u64) -> bool {
        self.with_dead(|dead| dead.values().any(|hashes| hashes.contains(&hash)))
    }

    /// Removes dead slots under `hash`.
    pub fn prune(&self, inner: &mut Inner<K, V>, hash: u64) {
        for id in inner.ids_under(hash) {
            if let Some(hashes) = self.with_dead(|dead| dead.remove(&id)) {
                inner.unlink(id, &hashes);
            }
        }
    }

    /// Removes the dead slots of one flow; whether there was one.
    pub fn bury_one(&self, inner: &mut Inner<K, V>) -> bool {
        let one = self.with_dead(|dead| {
            let id = dead.keys().next().copied()?;
            dead.remove_entry(&id)
        });
        let Some((id, hashes)) = one else { return false };
        inner.unlink(id, &hashes);
        if self.is(Flaw::DeadSlotRemovesByKey) {
            for &hash in &hashes {
                inner.ids_under(hash).into_iter().for_each(|id| inner.unlink(id, &[hash]));
            }
        }
        true
    }

    pub fn cancel(&self, node: &Arc<Node<K, V>>) -> bool {
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
