//! `remove` and `remove_flow`: they detach a flow, and the caller's handle keeps it.

use flow_table_api::{Equivalent, Key, Value};

use super::deferred::Deferred;
use crate::core::Core;
use crate::flows::{FlowAt, TableRef};
use crate::handle::StrongRef;
use crate::hash::KeyHash;
use crate::shard::{Held, Locks, ShardGuard};

impl<K: Key, V: Value> Core<K, V> {
    /// Detaches the active flow under `key`. If it has ended, its slots are removed.
    pub(crate) fn remove<Q: Equivalent<K> + ?Sized>(&self, key: &Q, hash: KeyHash) -> Option<StrongRef<K, V>> {
        match self.remove_single(key, hash) {
            Ok(removed) => removed,
            Err(Unsure) => Deferred::scope(|deferred| self.remove_any(key, hash, deferred)),
        }
    }

    /// The usual case: the flow is active and has one key. The table's reference becomes the handle.
    #[inline]
    fn remove_single<Q: Equivalent<K> + ?Sized>(
        &self,
        key: &Q,
        hash: KeyHash,
    ) -> Result<Option<StrongRef<K, V>>, Unsure> {
        let mut shard = self.shards.lock(self.shards.index.shard_of(hash));
        let (place, flow) = match shard.find_held(hash, |flow, slot| flow.has_key(slot, key)) {
            Held::Found(place, flow) => (place, flow),
            Held::None => return Ok(None),
            Held::Unsure => return Err(Unsure),
        };
        let own = self.detach(&mut shard, flow, false).ok_or(Unsure)?;
        shard.vacate(place, flow);
        drop(shard);
        Ok(Some(StrongRef::from_table(own)))
    }

    #[inline(never)]
    fn remove_any<Q: Equivalent<K> + ?Sized>(
        &self,
        key: &Q,
        hash: KeyHash,
        deferred: &mut Deferred<K, V>,
    ) -> Option<StrongRef<K, V>> {
        let mut holders = self.find_holders((key, None), hash.into(), None, deferred);
        let holder = holders.forward.take()?;
        let own = self.detach(holders.locks.shard(holder.flow.shard()), holder.flow, false);
        holders.locks.unlink(holder.flow);
        own.map(|own| {
            give_up(own);
            holder.handle(deferred)
        })
    }

    /// Detaches exactly this flow, and counts it as removed or `evicted`. Returns `true` if it was active.
    pub(crate) fn remove_flow(&self, flow: FlowAt<K, V>, evicted: bool) -> bool {
        let mut locks = Locks::take(&self.shards, self.shards.set_of(flow.hashes()));
        let Some(own) = self.detach(locks.shard(flow.shard()), flow, evicted) else { return false };
        locks.unlink(flow);
        drop(locks);
        // The last reference, if the caller has only borrowed the flow.
        drop(StrongRef::from_table(own));
        true
    }

    /// Detaches an active flow and takes the table's reference to it. All shards of the flow are locked. The
    /// caller removes the slots.
    #[inline(always)]
    fn detach(
        &self,
        shard: &mut ShardGuard<'_, K, V>,
        flow: FlowAt<K, V>,
        evicted: bool,
    ) -> Option<TableRef<K, V>> {
        if !flow.entry().state().detach() {
            return None;
        }
        shard.count_removed(evicted);
        let own = shard.let_go(flow).expect("the table has a reference to an active flow");
        self.shards.capacity.give_back(1);
        Some(own)
    }
}

/// Gives up the table's reference to a flow to which the caller has another one.
fn give_up<K, V>(own: TableRef<K, V>) {
    let dead = own.release();
    debug_assert!(dead.is_none(), "the caller has a reference");
}

/// A flow that is found may have two keys or have ended.
struct Unsure;
