//! Where flows wait for bursts to close, in tables with a flaw: elsewhere nothing does, as bursts hold what they
//! handed out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flow_table_conformance::api::{Key, Timestamp, Value};

use super::node::Handle;

pub struct Limbo<K: Key, V: Value> {
    open: AtomicUsize,
    waiting: Mutex<Vec<Handle<K, V>>>,
    /// The times of the open bursts.
    times: Mutex<Vec<Timestamp>>,
}

impl<K: Key, V: Value> Limbo<K, V> {
    pub const fn new() -> Self {
        Self { open: AtomicUsize::new(0), waiting: Mutex::new(Vec::new()), times: Mutex::new(Vec::new()) }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Handle<K, V>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn times(&self) -> MutexGuard<'_, Vec<Timestamp>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self, now: Timestamp) {
        self.times().push(now);
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst) > 0
    }

    /// Has flows wait.
    pub fn add(&self, flows: impl IntoIterator<Item = Handle<K, V>>) {
        self.waiting().extend(flows);
    }

    /// Leaks what waits.
    pub fn leak(&self) {
        self.waiting().drain(..).for_each(std::mem::forget);
    }

    /// A burst closes: the last one collects, one within the other.
    pub fn close(&self, now: Timestamp) {
        let mut times = self.times();
        if let Some(at) = times.iter().position(|&time| time == now) {
            times.swap_remove(at);
        }
        drop(times);
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            while let Some(flow) = { self.waiting().pop() } {
                drop(flow);
            }
        }
    }
}
