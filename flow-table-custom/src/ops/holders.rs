//! Who holds the keys that an operation is about.
//!
//! An operation locks the shards of its keys and of whoever holds them, all at once, so what it decides on
//! stays until it is done: only a flow's end without a lock (`cancel`, expiry by a look-up) can come between,
//! and is checked for.

use flow_table_api::{Direction, Flow, Key, Status, Timestamp, Value};

use super::deferred::Deferred;
use crate::core::Core;
use crate::flows::FlowAt;
use crate::handle::StrongRef;
use crate::hash::{KeyHash, KeyHashes};
use crate::shard::{Locks, ShardGuard};

/// What to do about a live flow under the forward key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Replace,
    IfAbsent,
}

/// Who is found under a key. One of the references that are given up later keeps it.
pub(super) struct Holder<K, V> {
    pub(super) flow: FlowAt<K, V>,
    /// Which of *its* keys matched.
    direction: Direction,
    pub(super) live: bool,
}

impl<K, V> Holder<K, V> {
    /// The handle by which it was found.
    pub(super) fn handle(&self, deferred: &mut Deferred<K, V>) -> StrongRef<K, V> {
        deferred.take(self.flow.entry(), self.direction).expect("each holder's reference is taken once")
    }
}

/// The shards locked, and who holds which key.
pub(super) struct Holders<'c, K, V> {
    pub(super) locks: Locks<'c, K, V>,
    pub(super) forward: Option<Holder<K, V>>,
    pub(super) reply: Option<Holder<K, V>>,
}

impl<K, V> Holders<'_, K, V> {
    /// The live flow that stands in the way, and which of the new keys it has.
    pub(super) fn conflict(&self, mode: Mode) -> Option<(&Holder<K, V>, Direction)> {
        let forward = self.forward.as_ref().filter(|holder| holder.live);
        if let (Some(holder), Mode::IfAbsent) = (forward, mode) {
            return Some((holder, Direction::Forward));
        }
        let reply = self.reply.as_ref().filter(|holder| holder.live);
        let other =
            reply.filter(|holder| forward.is_none_or(|forward| forward.flow.index() != holder.flow.index()));
        other.map(|holder| (holder, Direction::Reply))
    }
}

impl<K: Key, V: Value> Core<K, V> {
    /// Locks the shards of the keys and of their holders, and finds the holders. Expires holders that are due,
    /// if told the time.
    #[inline]
    pub(super) fn find_holders<'c>(
        &'c self,
        (key, reply): (&K, Option<&K>),
        hashes: KeyHashes,
        now: Option<Timestamp>,
        deferred: &mut Deferred<K, V>,
    ) -> Holders<'c, K, V> {
        let keys = self.shards.set_of(hashes);
        // Again only if other operations have changed the holders meanwhile.
        let mut set = keys;
        loop {
            let mut locks = Locks::take(&self.shards, set);
            let forward = self.find_holder(locks.of(hashes.forward), key, hashes.forward, now, deferred);
            let reply = match reply.zip(hashes.reply) {
                Some((key, hash)) => self.find_holder(locks.of(hash), key, hash, now, deferred),
                None => None,
            };
            let mut wanted = keys;
            for holder in [&forward, &reply].into_iter().flatten().filter(|holder| holder.flow.is_pair()) {
                holder.flow.hashes().iter().for_each(|(hash, _)| wanted.add(self.shards.index.shard_of(hash)));
            }
            if wanted.is_within(set) {
                return Holders { locks, forward, reply };
            }
            set = wanted;
        }
    }

    #[inline]
    pub(super) fn find_holder(
        &self,
        shard: &mut ShardGuard<'_, K, V>,
        key: &K,
        hash: KeyHash,
        now: Option<Timestamp>,
        deferred: &mut Deferred<K, V>,
    ) -> Option<Holder<K, V>> {
        let slot = shard.segment(hash).find(hash, |slot| {
            // A dead slot is its owner's to take out: whoever brought the flow's count to zero is about to do it.
            let flow = deferred.acquire(self.shards.arena.entry(slot.entry()), slot.direction())?;
            (flow.key_for(slot.direction()) == Some(key)).then_some(slot)
        })?;
        let flow = self.shards.arena.at(slot.entry());
        let live = match now {
            Some(now) => {
                self.expire(flow.entry(), now);
                flow.entry().state().load().is_live(now)
            }
            None => flow.entry().state().load().status == Status::Active,
        };
        Some(Holder { flow, direction: slot.direction(), live })
    }
}
