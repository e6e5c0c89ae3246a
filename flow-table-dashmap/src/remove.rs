use flow_table_api::{ForeignFlow, Key, Value};

use crate::handle::FlowHandle;
use crate::panics::drop_each;
use crate::shared::Shared;

impl<K: Key, V: Value> Shared<K, V> {
    pub(crate) fn remove(&self, key: &K) -> Option<FlowHandle<K, V>> {
        let hash = self.hash(key);
        // Outlives the stripe: dropping what is found may run user code.
        let occupant;
        let removed;
        {
            let _held = self.stripes.hold(hash, None);
            occupant = self.slots.get(hash, key)?;
            removed = occupant.flow.as_ref()?.remove();
        }
        let flow = occupant.flow?;
        if let Some(id) = removed {
            flow.unlink(id);
            return Some(FlowHandle::new(flow, occupant.slot.direction()));
        }
        // It had ended: not found any more, and handed over by a reap if the table still holds it. Whoever has detached it
        // removes the slots: one may be about to lead to the flow that replaces it.
        if !flow.is_detached() {
            drop_each(flow.remove_slots(occupant.slot.flow()));
        }
        None
    }

    pub(crate) fn remove_flow(&self, flow: &FlowHandle<K, V>) -> Result<bool, ForeignFlow> {
        let record = self.own(flow)?;
        let removed = {
            let _held = self.stripes.hold(record.hash, record.reply_hash());
            record.remove()
        };
        if let Some(id) = removed {
            record.unlink(id);
        }
        Ok(removed.is_some())
    }
}
