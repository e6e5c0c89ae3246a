use flow_table_api::{Direction, Flow, Key, ReinsertError, Status, Timestamp, Value};

use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::ops::keys::Keys;

type Reinsertion<K, V> = Result<FlowHandle<K, V>, ReinsertError<FlowHandle<K, V>>>;

// This has two halves, like an insertion.
impl<K: Key + Clone, V: Value> Core<K, V> {
    pub(crate) fn reinsert(&self, flow: &FlowHandle<K, V>, now: Timestamp) -> Reinsertion<K, V> {
        let record = self.own(flow)?;
        let mut keys = Keys::new((&record.key, record.hash), record.reply.as_ref().zip(record.reply_hash()));
        let result = self.reinsert_under(&mut keys, flow, now);
        // Dropped here and not at the end of the scope, as in `insert`.
        drop(keys);
        result
    }

    fn reinsert_under(&self, keys: &mut Keys<K, V>, flow: &FlowHandle<K, V>, now: Timestamp) -> Reinsertion<K, V> {
        let record = flow.record();
        let held = keys.hold(self);
        if record.is_live_or_expires(now) {
            return Err(ReinsertError::Active);
        }
        if record.state.load().status == Status::Cancelled {
            return Err(ReinsertError::Cancelled);
        }
        for key in [Direction::Forward, Direction::Reply] {
            if let Some(holder) = flow.key_for(key).and_then(|own| keys.look(key, own, self, now)) {
                return Err(ReinsertError::Conflict { holder, key });
            }
        }
        let queue = self.queues.of(record);
        let before = record.id();
        // A flow that waits for a reap has its place, unless it is dying.
        let has_place = before.is_some_and(|id| queue.lock().take(id).is_some());
        if !has_place && !self.take_place(now, None) {
            self.refusals.add();
            return Err(ReinsertError::Full { capacity: self.held.limit() });
        }
        let id = queue.next_id();
        record.set_id(id);
        keys.fill(id, record, None, self);
        let mut locked = queue.lock();
        if !has_place && before.is_some_and(|id| locked.take_dying(id).is_some()) {
            self.count_out_dying();
        }
        let filing = locked.activate(id, record, now);
        drop((locked, held));
        self.shared.ring(filing);
        Ok(FlowHandle::new(record.clone(), Direction::Forward))
    }
}
