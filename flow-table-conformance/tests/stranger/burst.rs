//! A burst that keeps a handle to whatever it hands out.

use std::sync::RwLockReadGuard;

use flow_table_conformance::api::{Borrowed, Burst, FlowRef, Key, Table, Timestamp, Value};
use typed_arena::Arena;

use super::Stranger;
use super::flaw::Flaw;
use super::inner::Inner;
use super::lock::Held;
use super::node::{Handle, Node};

type ReadGuard<'t, K, V> = Held<RwLockReadGuard<'t, Inner<K, V>>>;

pub struct OpenBurst<'t, K: Key, V: Value> {
    table: &'t Stranger<K, V>,
    now: Timestamp,
    kept: Arena<Handle<K, V>>,
    _lock: Option<ReadGuard<'t, K, V>>,
}

impl<'t, K: Key, V: Value> OpenBurst<'t, K, V> {
    pub fn new(table: &'t Stranger<K, V>, now: Timestamp) -> Self {
        let lock = table.0.is(Flaw::BurstHoldsTheLock).then(|| table.0.inner.read());
        Self { table, now, kept: Arena::new(), _lock: lock }
    }
}

impl<K: Key, V: Value> Burst<K, V> for OpenBurst<'_, K, V> {
    type Flow = Node<K, V>;
    type Ref = Handle<K, V>;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn get(&self, key: &K) -> Option<Borrowed<'_, Node<K, V>>> {
        let handle: &Handle<K, V> = self.kept.alloc(self.table.lookup(key, self.now)?);
        Some(Borrowed::new(handle, handle.direction()))
    }

    fn handle(&self, flow: Borrowed<'_, Node<K, V>>) -> Option<Handle<K, V>> {
        flow.me.upgrade().map(|node| Handle::new(node, flow.direction()))
    }
}
