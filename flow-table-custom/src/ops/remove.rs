use flow_table_api::{Key, Value};

use super::deferred::Deferred;
use crate::core::Core;
use crate::flows::FlowAt;
use crate::handle::StrongRef;
use crate::shard::Locks;

impl<K: Key, V: Value> Core<K, V> {
    /// Detaches the active flow under `key`; one that has ended is no longer found.
    pub(crate) fn remove(&self, key: &K) -> Option<StrongRef<K, V>> {
        let hashes = self.hashes(key, None);
        Deferred::scope(|deferred| {
            let mut holders = self.find_holders((key, None), hashes, None, deferred);
            let holder = holders.forward.take()?;
            let flow = holder.handle();
            if self.detach(&mut holders.locks, holder.flow) {
                return Some(flow);
            }
            holders.locks.unlink(holder.flow);
            // Not the last one: it was found by another.
            drop(flow);
            None
        })
    }

    /// Detaches this very flow. Returns `true` if it was active.
    pub(crate) fn remove_flow(&self, flow: &StrongRef<K, V>) -> bool {
        let at = flow.at();
        let mut locks = Locks::take(&self.shards, self.shards.set_of(at.hashes()));
        self.detach(&mut locks, at)
    }

    /// Detaches an active flow and gives up the table's reference: not the last one, as the caller has one. The flow's
    /// shards are locked.
    fn detach(&self, locks: &mut Locks<'_, K, V>, flow: FlowAt<K, V>) -> bool {
        if !flow.entry().state().detach() {
            return false;
        }
        self.shards.get(flow.shard()).counters.removed.add(1);
        locks.unlink(flow);
        let own = locks.shard(flow.shard()).let_go(flow).expect("the table has a reference to an active flow");
        let dead = own.release();
        debug_assert!(dead.is_none(), "the caller has a reference");
        self.shards.capacity.give_back(1);
        true
    }
}
