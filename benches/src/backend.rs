//! The backends as subjects. Everything goes through the public interface.

use flow_table::{
    Borrowed, Budget, Burst, Flow, FlowSpec, InsertError, NewFlow, Table, TableConfig, Timeout, Timestamp,
};

use crate::Workload;
use crate::data::{Key, Payload, index, payload};
use crate::subject::Subject;

/// A table of some backend. Some get their memory when they are made.
pub struct Backend<T, const PREFAULTED: bool = false>(T);

/// Memory for batches of handles, and for batches of borrowed flows. The latter is empty whenever no burst is
/// open, so its lifetime means nothing.
pub struct Batches<T: Table<Key, Payload> + 'static> {
    handles: Vec<Option<T::Ref>>,
    borrowed: Vec<Option<Borrowed<'static, T::Flow>>>,
}

impl<T: Table<Key, Payload> + 'static> Default for Batches<T> {
    fn default() -> Self {
        Self { handles: Vec::new(), borrowed: Vec::new() }
    }
}

/// The vector's memory, for another burst. The standard library collects in place.
fn reuse<'b, F>(mut memory: Vec<Option<Borrowed<'_, F>>>) -> Vec<Option<Borrowed<'b, F>>> {
    memory.clear();
    memory.into_iter().map(|_| None).collect()
}

fn new_flow(key: Key, timeout: Timeout) -> NewFlow<Key, Payload> {
    NewFlow::new(key, payload(index(&key))).timeout(timeout)
}

impl<T: Table<Key, Payload> + 'static, const PREFAULTED: bool> Subject for Backend<T, PREFAULTED> {
    type Scratch = Batches<T>;

    fn new(_: usize, capacity: usize) -> Self {
        Self(T::with_config(TableConfig::new(capacity).prefault(if PREFAULTED { capacity } else { 0 })))
    }

    fn cannot(workload: Workload) -> Option<&'static str> {
        (PREFAULTED && workload != Workload::Grow).then_some("it differs while it grows only")
    }

    fn pause(&self, now: Timestamp) {
        self.0.reap_local(now, Budget::UNLIMITED);
    }

    #[inline]
    fn insert(&self, key: Key, timeout: Timeout, now: Timestamp) {
        drop(self.0.insert(new_flow(key, timeout), now).expect("the table has room"));
    }

    #[inline]
    fn hit(&self, key: &Key, now: Timestamp) -> bool {
        self.0.lookup(key, now).is_some_and(|flow| flow.refresh(now))
    }

    #[inline]
    fn hit_batch(&self, keys: &[Key], now: Timestamp, scratch: &mut Batches<T>) -> usize {
        self.0.lookup_batch(keys, now, &mut scratch.handles);
        scratch.handles.drain(..).flatten().filter(|flow| flow.refresh(now)).count()
    }

    #[inline]
    fn borrow(&self, keys: &[Key], now: Timestamp) -> usize {
        let burst = self.0.burst(now);
        keys.iter().filter(|key| burst.get(*key).is_some_and(|flow| flow.refresh(now))).count()
    }

    #[inline]
    fn borrow_batch(&self, keys: &[Key], now: Timestamp, scratch: &mut Batches<T>) -> usize {
        let burst = self.0.burst(now);
        let mut found = reuse(std::mem::take(&mut scratch.borrowed));
        burst.get_batch(keys, &mut found);
        let granted = found.iter().flatten().filter(|flow| flow.refresh(now)).count();
        scratch.borrowed = reuse(found);
        granted
    }

    #[inline]
    fn packets(&self, keys: &[Key], now: Timestamp, missing: &mut Vec<usize>, scratch: &mut Batches<T>) {
        let burst = self.0.burst(now);
        let mut found = reuse(std::mem::take(&mut scratch.borrowed));
        burst.get_batch(keys, &mut found);
        for (position, flow) in found.iter().enumerate() {
            if !flow.is_some_and(|flow| flow.refresh(now)) {
                missing.push(position);
            }
        }
        scratch.borrowed = reuse(found);
    }

    #[inline]
    fn find(&self, key: &Key, now: Timestamp) -> bool {
        self.0.lookup(key, now).is_some()
    }

    #[inline]
    fn find_batch(&self, keys: &[Key], now: Timestamp, scratch: &mut Batches<T>) -> usize {
        self.0.lookup_batch(keys, now, &mut scratch.handles);
        scratch.handles.drain(..).flatten().count()
    }

    #[inline]
    fn expire(&self, _due: &[Key], now: Timestamp) -> usize {
        self.0.reap_local(now, Budget::UNLIMITED).expired
    }

    #[inline]
    fn reap(&self, now: Timestamp) -> usize {
        self.0.reap(now, Budget::UNLIMITED).expired
    }

    #[inline]
    fn offer(&self, key: &Key, timeout: Timeout, now: Timestamp) -> bool {
        match self.0.get_or_insert_with(FlowSpec::new(*key).timeout(timeout), now, || payload(index(key))) {
            Ok(admission) => admission.is_inserted(),
            Err(InsertError::Full { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    #[inline]
    fn insert_pair(&self, key: Key, reply: Key, timeout: Timeout, now: Timestamp) {
        drop(self.0.insert(new_flow(key, timeout).reply(reply), now).expect("the table has room"));
    }

    fn visit(&self) -> usize {
        let mut visited = 0;
        self.0.for_each(|_| visited += 1);
        visited
    }

    fn held(&self) -> usize {
        self.0.len()
    }
}
