use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{
    Admission, AdmissionOf, Budget, Direction, Ended, ForeignFlow, InsertError, InsertErrorOf, Inserted, Key,
    NewFlow, ReapReport, ReinsertError, SetDeadlineError, Stats, Status, Table, TableConfig, Timestamp, Value,
};

use crate::burst::FlowBurst;
use crate::flow::FlowRecord;
use crate::handle::FlowHandle;
use crate::insert::Policy;
use crate::panics::Panics;
use crate::shared::Shared;

/// A flow table over a `DashMap` of weak references and per-thread priority queues.
///
/// # Costs
///
/// | | cache lines touched, with a key of 44 bytes | atomic writes |
/// |---|---|---|
/// | look-up, hit | shard lock, control bytes, slot (1–2), flow (1; another for the key or the value) | 3; 1 to drop the handle |
/// | look-up, miss | shard lock, control bytes | 2 |
/// | refresh | flow | 1, or none if the deadline is as late already |
/// | insert | two stripes at most, each key's shard twice, queue: O(log n) | about 20 |
/// | reap, nothing due | one for each queue | 2 |
/// | reap, for each flow | queue: O(log n); when the flow is dropped, each key's shard | about 12 |
///
/// | bytes per flow | |
/// |---|---|
/// | flow | 64 (of which two reference counts 16, status and deadline 8), the key, an `Option` of the other, the value |
/// | slot, for each key | 25 and the key, in a map that is between 7/16 and 7/8 full |
/// | queue entry | 59, in a queue that is between half and all full |
///
/// So 470 bytes at a million flows with one [`FlowKey`](flow_table_api::FlowKey) and 64 bytes of value.
///
/// # Panics
///
/// Operations panic where user code does, and nowhere else.
pub struct FlowTable<K, V> {
    pub(crate) shared: Arc<Shared<K, V>>,
}

impl<K: Key + Clone, V: Value> Table<K, V> for FlowTable<K, V> {
    type Flow = FlowRecord<K, V>;
    type Ref = FlowHandle<K, V>;
    type Burst<'t> = FlowBurst<'t, K, V>;

    fn with_config(config: TableConfig) -> Self {
        Self { shared: Arc::new(Shared::new(&config)) }
    }

    #[inline]
    fn lookup(&self, key: &K, now: Timestamp) -> Option<FlowHandle<K, V>> {
        self.shared.find(key, now).map(|(flow, direction)| FlowHandle::new(flow, direction))
    }

    fn burst(&self, now: Timestamp) -> FlowBurst<'_, K, V> {
        FlowBurst::new(&self.shared, now)
    }

    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<FlowHandle<K, V>>, InsertErrorOf<K, V, Self>> {
        self.shared.insert(flow, now, Policy::Replace)
    }

    fn insert_if_absent(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        match self.shared.insert(flow, now, Policy::Keep) {
            Ok(inserted) => Ok(Admission::Inserted(inserted)),
            Err(InsertError::Conflict { flow, holder, key }) => {
                Ok(Admission::Existing { holder, key, rejected: Some(flow) })
            }
            Err(refused) => Err(refused),
        }
    }

    fn reinsert(
        &self,
        flow: &FlowHandle<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<FlowHandle<K, V>>, ReinsertError<FlowHandle<K, V>>> {
        self.shared.reinsert(flow, now)
    }

    fn set_deadline(&self, flow: &FlowHandle<K, V>, deadline: Timestamp) -> Result<(), SetDeadlineError> {
        self.shared.set_deadline(flow, deadline)
    }

    fn set_timeout(
        &self,
        flow: &FlowHandle<K, V>,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        self.shared.set_timeout(flow, timeout, now)
    }

    fn remove(&self, key: &K) -> Option<FlowHandle<K, V>> {
        self.shared.remove(key)
    }

    fn remove_flow(&self, flow: &FlowHandle<K, V>) -> Result<bool, ForeignFlow> {
        self.shared.remove_flow(flow)
    }

    /// Copies the handles of one queue at a time under its lock, and visits them under none.
    fn for_each(&self, mut visit: impl FnMut(&FlowHandle<K, V>)) {
        for queue in self.shared.registry.each() {
            for flow in queue.active() {
                // An earlier visit may have ended it.
                if flow.state.load().status == Status::Active {
                    visit(&FlowHandle::new(flow, Direction::Forward));
                }
            }
        }
    }

    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<FlowHandle<K, V>>)) -> ReapReport {
        self.shared.reap(now, budget, ended)
    }

    fn reap_local_with(
        &self,
        now: Timestamp,
        budget: Budget,
        ended: impl FnMut(Ended<FlowHandle<K, V>>),
    ) -> ReapReport {
        self.shared.reap_local(now, budget, ended)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_empty() {
            return None;
        }
        self.shared.registry.read(|queues| queues.iter().filter_map(|queue| queue.next_deadline()).min())
    }

    fn len(&self) -> usize {
        self.shared.held.get()
    }

    fn capacity(&self) -> usize {
        self.shared.held.limit()
    }

    fn set_capacity(&self, flows: usize) {
        self.shared.held.set_limit(flows);
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    fn memory(&self) -> usize {
        self.shared.memory()
    }

    fn shrink_to_fit(&self) {
        self.shared.shrink_to_fit();
    }
}

impl<K, V> Drop for FlowTable<K, V> {
    /// Detaches what is active. Values go with the last handle, as ever.
    fn drop(&mut self) {
        let queues = self.shared.registry.close();
        let flows: Vec<_> = queues.iter().flat_map(|queue| queue.lock().drain()).collect();
        for (_, flow) in &flows {
            flow.state.detach();
        }
        let mut panics = Panics::default();
        for (id, flow) in flows {
            panics.drop_each(flow.remove_slots(id));
            panics.catch(|| drop(flow));
        }
        self.shared.slots.shrink_to_fit();
        panics.resume();
    }
}

impl<K, V> fmt::Debug for FlowTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowTable").field("held", &self.shared.held).finish_non_exhaustive()
    }
}
