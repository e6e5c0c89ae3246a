//! The holders of the keys that an operation is about.
//!
//! An operation locks the shards of its keys and those of their holders, all at once, so that what it has found
//! stays true until it is done. Only the end of a flow without a lock (`cancel`, expiry by a look-up) can come
//! between. Operations check for that.

use flow_table_api::{Direction, Equivalent, Flow, Key, Status, Timestamp, Value};

use super::deferred::Deferred;
use crate::core::Core;
use crate::flows::FlowAt;
use crate::handle::StrongRef;
use crate::hash::{KeyHash, KeyHashes};
use crate::shard::{Locks, ShardGuard};

/// What an insertion does about a live flow under its forward key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Replace,
    IfAbsent,
}

/// The flow that is found under a key. One of the deferred references keeps it.
pub(super) struct Holder<K, V> {
    pub(super) flow: FlowAt<K, V>,
    /// Which of *its* keys matched.
    direction: Direction,
    pub(super) live: bool,
}

impl<K, V> Holder<K, V> {
    /// Takes the reference by which it was found out of `deferred`.
    pub(super) fn handle(&self, deferred: &mut Deferred<K, V>) -> StrongRef<K, V> {
        deferred.take(self.flow.entry(), self.direction).expect("each holder's reference is taken once")
    }
}

/// The locked shards, and the holders of the keys.
pub(super) struct Holders<'c, K, V> {
    pub(super) locks: Locks<'c, K, V>,
    pub(super) forward: Option<Holder<K, V>>,
    pub(super) reply: Option<Holder<K, V>>,
}

impl<K, V> Holders<'_, K, V> {
    /// The live flow that is in the way of an insertion, and which of the new keys it has.
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
    /// Locks the shards of the keys and of their holders, and finds the holders. If `now` is present, holders
    /// that are due at that time are expired.
    #[inline]
    pub(super) fn find_holders<'c, Q: Equivalent<K> + ?Sized>(
        &'c self,
        (key, reply): (&Q, Option<&Q>),
        hashes: KeyHashes,
        now: Option<Timestamp>,
        deferred: &mut Deferred<K, V>,
    ) -> Holders<'c, K, V> {
        let keys = self.shards.set_of(hashes);
        // Repeated only if other operations have changed the holders in the meantime.
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
    pub(super) fn find_holder<Q: Equivalent<K> + ?Sized>(
        &self,
        shard: &mut ShardGuard<'_, K, V>,
        key: &Q,
        hash: KeyHash,
        now: Option<Timestamp>,
        deferred: &mut Deferred<K, V>,
    ) -> Option<Holder<K, V>> {
        let slot = shard.segment(hash).find(hash, |slot| {
            // P3: only the owner of a dead flow, which brought its count to zero, takes its slots out.
            let flow = deferred.acquire(self.shards.arena.entry(slot.entry()), slot.direction())?;
            flow.key_for(slot.direction()).is_some_and(|own| key.equivalent(own)).then_some(slot)
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
