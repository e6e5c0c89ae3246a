use std::sync::Arc;

use flow_table_api::{ForeignFlow, Key, Value};

use crate::flow::Record;
use crate::handle::FlowHandle;
use crate::id::FlowId;
use crate::shared::Shared;

impl<K: Key, V: Value> Shared<K, V> {
    pub(crate) fn remove(&self, key: &K) -> Option<FlowHandle<K, V>> {
        let hash = self.hash(key);
        // Outlives the stripe: dropping what is found may run user code.
        let occupant;
        let detached;
        {
            let _held = self.stripes.hold(hash, None);
            occupant = self.slots.get(hash, key)?;
            detached = occupant.flow.as_ref()?.detach();
        }
        let flow = occupant.flow?;
        if let Some(id) = detached {
            self.removed(&flow, id);
            return Some(FlowHandle::new(flow, occupant.slot.direction()));
        }
        // It had ended: not found any more, and handed over by a reap if the table still holds it.
        drop(flow.remove_slots(occupant.slot.flow()));
        None
    }

    pub(crate) fn remove_flow(&self, flow: &FlowHandle<K, V>) -> Result<bool, ForeignFlow> {
        let record = self.own(flow)?;
        let detached = {
            let _held = self.stripes.hold(record.hash, record.reply_hash());
            record.detach()
        };
        if let Some(id) = detached {
            self.removed(record, id);
        }
        Ok(detached.is_some())
    }

    /// Concludes a removal, under no lock: the flow was detached from its stay `id`.
    fn removed(&self, flow: &Arc<Record<K, V>>, id: FlowId) {
        flow.home.counts.removed.add();
        self.room.held().sub(1);
        let keys = flow.remove_slots(id);
        flow.clear_id(id);
        drop(keys);
    }
}
