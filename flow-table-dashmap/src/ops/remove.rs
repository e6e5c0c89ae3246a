use flow_table_api::state::FlowState;
use flow_table_api::{Equivalent, ForeignFlow, Key, Timestamp, Value};

use crate::base::count::{Count, Counts};
use crate::base::id::FlowId;
use crate::base::panics::drop_each;
use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::record::Record;
use crate::flow::strong::FlowRecord;

impl<K, V> Core<K, V> {
    /// Moves the flow from `Active` to `Detached` by `end`, and takes it out of its queue. Returns the id that it
    /// had if this call did it. `count` counts the end, under the queue's lock, so that a thread that finds the
    /// flow detached and reinserts it finds it counted, too.
    ///
    /// The caller holds the stripe of one of the flow's keys, so that no other thread reinserts it in the
    /// meantime.
    fn detach(
        &self,
        flow: &Record<K, V>,
        end: impl FnOnce(&FlowState) -> bool,
        count: impl FnOnce(&Counts),
    ) -> Option<FlowId> {
        let id = flow.id()?;
        let mut queue = self.queues.of(flow).lock();
        let detached = queue.detach(id, flow, end);
        if detached {
            count(&flow.home.counts);
        }
        detached.then_some(id)
    }

    /// Ends the flow because a new one takes its key and its place in the table's count. Returns `true` if this
    /// call ended it, which it does if the flow is live. The caller holds the key's stripe and removes the slots.
    pub(crate) fn replace(&self, flow: &Record<K, V>, now: Timestamp) -> bool {
        // This loops only if the deadline is moved in the meantime.
        while flow.is_live_or_expires(now) {
            if let Some(id) = self.detach(flow, |state| state.detach_live(now), |counts| counts.replaced.add()) {
                flow.clear_id(id);
                return true;
            }
        }
        false
    }

    /// Ends the flow because it is removed or evicted. Returns its id if this call ended it. The caller holds the
    /// stripe of one of its keys.
    fn detach_and_count_out(&self, flow: &Record<K, V>, count: fn(&Counts) -> &Count) -> Option<FlowId> {
        self.detach(flow, FlowState::detach, |counts| {
            count(counts).add();
            self.held.sub(1);
        })
    }
}

impl<K: Key, V: Value> Core<K, V> {
    pub(crate) fn remove<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<FlowHandle<K, V>> {
        // Outlives the stripe, because dropping it may run user code.
        let occupant;
        let removed;
        {
            let _held = self.stripes.hold(hash, None);
            occupant = self.occupant(hash, key)?;
            removed = self.detach_and_count_out(occupant.flow.as_ref()?, |counts| &counts.removed);
        }
        let flow = occupant.flow?;
        if let Some(id) = removed {
            flow.unlink(id);
            return Some(FlowHandle::new(flow, occupant.slot.direction()));
        }
        // The flow had ended. It is not found any more, and a reap hands it over if the table still holds it. If
        // it is detached, the thread that detached it removes the slots. One of them may be about to lead to the
        // flow that replaces it.
        if !flow.is_detached() {
            drop_each(flow.remove_slots(occupant.slot.flow()));
        }
        None
    }

    /// Removes this flow, and counts that by `count`.
    pub(crate) fn remove_flow(
        &self,
        flow: &FlowRecord<K, V>,
        count: fn(&Counts) -> &Count,
    ) -> Result<bool, ForeignFlow> {
        let record = self.own(flow)?;
        let removed = {
            let _held = self.stripes.hold(record.hash, record.reply_hash());
            self.detach_and_count_out(record, count)
        };
        if let Some(id) = removed {
            record.unlink(id);
        }
        Ok(removed.is_some())
    }
}
