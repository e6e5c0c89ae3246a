//! `reinsert`: puts a flow back that has expired or was removed.

use flow_table_api::{Direction, Flow, Key, ReinsertError, Status, Timestamp, Value};

use super::deferred::Deferred;
use super::holders::Mode;
use super::room::Room;
use crate::core::Core;
use crate::handle::StrongRef;
use crate::hash::KeyHashes;
use crate::memory::AllocError;

type ReinsertResult<T, K, V> = Result<T, ReinsertError<StrongRef<K, V>>>;

impl<K: Key, V: Value> Core<K, V> {
    pub(crate) fn reinsert(
        &self,
        flow: &StrongRef<K, V>,
        now: Timestamp,
    ) -> ReinsertResult<StrongRef<K, V>, K, V> {
        may_return(flow, now)?;
        let hashes = flow.at().hashes();
        let mut room = Room::new(&self.shards, now);
        loop {
            match Deferred::scope(|deferred| self.try_reinsert(flow, hashes, &mut room, deferred)) {
                Some(result) => {
                    result?;
                    self.ring_for(flow, now);
                    return Ok(flow.by(Direction::Forward));
                }
                None if room.make() => {}
                None => {
                    self.count_refusal(hashes);
                    return Err(ReinsertError::Full { capacity: self.shards.capacity.limit() });
                }
            }
        }
    }

    /// Puts the flow back. Returns `None` if the table is full.
    fn try_reinsert(
        &self,
        flow: &StrongRef<K, V>,
        hashes: KeyHashes,
        room: &mut Room<'_, K, V>,
        deferred: &mut Deferred<K, V>,
    ) -> Option<ReinsertResult<(), K, V>> {
        let (now, at, entry) = (room.now(), flow.at(), flow.entry());
        let mut holders = self.find_holders((flow.key(), flow.reply_key()), hashes, Some(now), deferred);
        self.expire(entry, now);
        if let Err(error) = may_return(flow, now) {
            return Some(Err(error));
        }
        if let Some((holder, key)) = holders.conflict(Mode::IfAbsent) {
            // If the holder is the flow itself, another thread put it back before this one had the lock, and a
            // look-up at a later time has expired it since this call found it. It was active when it was found.
            let is_itself = holder.flow.index() == at.index();
            return Some(Err(match is_itself {
                true => ReinsertError::Active,
                false => ReinsertError::Conflict { holder: holder.handle(deferred), key },
            }));
        }
        let deadline = now + entry.options().timeout();
        let filing = self.shards.filing(deadline, now);
        let shard = holders.locks.of(hashes.forward);
        let (is_held, has_place) = (entry.is_held(), entry.is_held() && !shard.is_dying(at));
        if !has_place && room.is_missing() {
            return None;
        }
        if holders.locks.reserve_slots(hashes).is_err() {
            return Some(Err(ReinsertError::OutOfMemory));
        }
        let shard = holders.locks.of(hashes.forward);
        if shard.disarm(at) {
            shard.rearm(at, filing);
        } else {
            // P9: it is due before it is not dying.
            shard.lower_due(filing);
            let was_dying = shard.remove_dying(at);
            let armed = shard.arm(at, filing);
            if armed.is_err() || !has_place && !room.reserve() {
                shard.disarm(at);
                if was_dying {
                    shard.push_dying(at);
                }
                return armed.err().map(|AllocError| Err(ReinsertError::OutOfMemory));
            }
            if was_dying {
                self.shards.capacity.sub_dying(1);
            }
        }
        if !is_held {
            shard.hold(at);
        }
        self.install(&mut holders, at, hashes, deadline, now);
        Some(Ok(()))
    }
}

/// Checks that the flow has ended, and not for good.
fn may_return<K: Key, V: Value>(flow: &StrongRef<K, V>, now: Timestamp) -> ReinsertResult<(), K, V> {
    match Flow::state(&**flow).load() {
        word if word.is_live(now) => Err(ReinsertError::Active),
        word if word.status == Status::Cancelled => Err(ReinsertError::Cancelled),
        _ => Ok(()),
    }
}
