use flow_table_api::{Direction, Key, Value};

use super::deferred::Deferred;
use crate::core::Core;
use crate::flows::FlowAt;
use crate::handle::StrongRef;
use crate::hash::KeyHash;
use crate::shard::{Locks, ShardGuard};

impl<K: Key, V: Value> Core<K, V> {
    /// Detaches the active flow under `key`. If it has ended, its slot for the key is removed, or all its slots
    /// if it has two keys.
    pub(crate) fn remove(&self, key: &K) -> Option<StrongRef<K, V>> {
        let hash = self.hash(key);
        match Deferred::scope(|deferred| self.remove_single(key, hash, deferred)) {
            Ok(removed) => removed,
            Err(IsPair) => Deferred::scope(|deferred| self.remove_pair(key, hash, deferred)),
        }
    }

    /// The usual case: the flow has one key.
    fn remove_single(
        &self,
        key: &K,
        hash: KeyHash,
        deferred: &mut Deferred<K, V>,
    ) -> Result<Option<StrongRef<K, V>>, IsPair> {
        let mut shard = self.shards.lock(self.shards.index.shard_of(hash));
        let Some(holder) = self.find_holder(&mut shard, key, hash, None, deferred) else { return Ok(None) };
        if holder.flow.is_pair() {
            return Err(IsPair);
        }
        if self.detach(&mut shard, holder.flow) {
            return Ok(Some(holder.handle(deferred)));
        }
        shard.unlink_key(holder.flow, Direction::Forward);
        Ok(None)
    }

    #[inline(never)]
    fn remove_pair(&self, key: &K, hash: KeyHash, deferred: &mut Deferred<K, V>) -> Option<StrongRef<K, V>> {
        let mut holders = self.find_holders((key, None), hash.into(), None, deferred);
        let holder = holders.forward.take()?;
        let is_detached = self.detach(holders.locks.shard(holder.flow.shard()), holder.flow);
        holders.locks.unlink(holder.flow);
        is_detached.then(|| holder.handle(deferred))
    }

    /// Detaches exactly this flow. Returns `true` if it was active.
    pub(crate) fn remove_flow(&self, flow: &StrongRef<K, V>) -> bool {
        let flow = flow.at();
        if !flow.is_pair() {
            return self.detach(&mut self.shards.lock(flow.shard()), flow);
        }
        let mut locks = Locks::take(&self.shards, self.shards.set_of(flow.hashes()));
        let is_detached = self.detach(locks.shard(flow.shard()), flow);
        if is_detached {
            locks.unlink(flow);
        }
        is_detached
    }

    /// Detaches an active flow, removes its forward slot and gives up the table's reference. That is not the
    /// last reference, because the caller has one. All shards of the flow are locked. The caller removes a
    /// second slot.
    fn detach(&self, shard: &mut ShardGuard<'_, K, V>, flow: FlowAt<K, V>) -> bool {
        if !flow.entry().state().detach() {
            return false;
        }
        self.shards.get(flow.shard()).counters.removed.add(1);
        shard.unlink_key(flow, Direction::Forward);
        let own = shard.let_go(flow).expect("the table has a reference to an active flow");
        let dead = own.release();
        debug_assert!(dead.is_none(), "the caller has a reference");
        self.shards.capacity.give_back(1);
        true
    }
}

/// The flow has two keys, so another shard may have to be locked too.
struct IsPair;
