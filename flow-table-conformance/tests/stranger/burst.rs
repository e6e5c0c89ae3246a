//! A burst that keeps a handle to every flow that it hands out.

use std::sync::RwLockReadGuard;

use flow_table_conformance::api::{Borrowed, Burst, FlowRef, Key, KeyForm, KeyHash, Table, Timestamp, Value};
use typed_arena::Arena;

use super::Stranger;
use super::drops::{drop_each, drop_until_a_panic};
use super::flaw::Flaw;
use super::inner::Inner;
use super::lock::Held;
use super::node::{Handle, Node};

type ReadGuard<'t, K, V> = Held<RwLockReadGuard<'t, Inner<K, V>>>;

pub struct OpenBurst<'t, K: Key, V: Value> {
    table: &'t Stranger<K, V>,
    now: Timestamp,
    kept: Arena<Option<Handle<K, V>>>,
    _lock: Option<ReadGuard<'t, K, V>>,
}

impl<'t, K: Key, V: Value> OpenBurst<'t, K, V> {
    pub fn new(table: &'t Stranger<K, V>, now: Timestamp) -> Self {
        let lock = table.0.is(Flaw::BurstHoldsTheLock).then(|| table.0.inner.read());
        table.0.limbo.open(now);
        Self { table, now, kept: Arena::new(), _lock: lock }
    }
}

impl<K: Key, V: Value> Drop for OpenBurst<'_, K, V> {
    fn drop(&mut self) {
        let (table, kept) = (&self.table.0, self.kept.iter_mut().filter_map(Option::take));
        if table.is(Flaw::ClosingLeaksTheRest) {
            drop_until_a_panic(kept.collect());
        } else if table.is(Flaw::CollectingNests) || table.is(Flaw::BurstsWaitForEachOther) {
            table.limbo.add(kept);
        } else {
            drop_each(kept);
        }
        table.limbo.close(self.now);
    }
}

impl<K: Key, V: Value> Burst<K, V> for OpenBurst<'_, K, V> {
    type Flow = Node<K, V>;
    type Ref = Handle<K, V>;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn get_hashed<Q: KeyForm<K> + ?Sized>(&self, key: &Q, hash: KeyHash) -> Option<Borrowed<'_, Node<K, V>>> {
        let kept: Option<&Handle<K, V>> = self.kept.alloc(self.table.lookup_hashed(key, hash, self.now)).as_ref();
        kept.map(|handle| Borrowed::new(&**handle, handle.direction()))
    }

    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        self.table.hash(key)
    }

    fn handle(&self, flow: Borrowed<'_, Node<K, V>>) -> Option<Handle<K, V>> {
        flow.me.upgrade().map(|node| Handle::new(node, flow.direction()))
    }
}
