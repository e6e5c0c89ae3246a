use std::sync::Arc;

use flow_table_api::{Direction, Flow, Inserted, Key, ReinsertError, Status, Timestamp, Value};

use crate::handle::FlowHandle;
use crate::insert::inserted;
use crate::keys::Keys;
use crate::shared::Shared;

type Reinsertion<K, V> = Result<Inserted<FlowHandle<K, V>>, ReinsertError<FlowHandle<K, V>>>;

// As an insertion, in two halves.
impl<K: Key + Clone, V: Value> Shared<K, V> {
    pub(crate) fn reinsert(self: &Arc<Self>, flow: &FlowHandle<K, V>, now: Timestamp) -> Reinsertion<K, V> {
        let record = self.own(flow)?;
        let mut keys = Keys::new(self, &record.key, record.reply.as_ref());
        let result = self.reinsert_under(&mut keys, flow, now);
        // Not left to the end of the scope, as in `insert`.
        drop(keys);
        result
    }

    fn reinsert_under(
        self: &Arc<Self>,
        keys: &mut Keys<K, V>,
        flow: &FlowHandle<K, V>,
        now: Timestamp,
    ) -> Reinsertion<K, V> {
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
        // While the flow waits for a reap it is still counted.
        let waiting = record.take_ended().then(Vec::new);
        let Some(made_room) = waiting.or_else(|| self.make_room(now)) else {
            self.refusals.add();
            return Err(ReinsertError::Full { capacity: self.held.limit() });
        };
        let id = record.home.next_id();
        record.set_id(id);
        keys.fill(id, record, None, self);
        record.home.lock().activate(id, record, now + record.options.timeout());
        drop(held);
        Ok(inserted(record.clone(), made_room))
    }
}
