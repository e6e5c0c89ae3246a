//! `insert`, `insert_if_absent`, and the insertion of the packet-miss path.

use flow_table_api::{Direction, Flow, Inserted, Key, NewFlow, Status, Timestamp, Value};

use super::deferred::Deferred;
use super::holders::Mode;
use super::room::Room;
use crate::core::Core;
use crate::flows::Unpublished;
use crate::handle::StrongRef;
use crate::hash::KeyHashes;
use crate::index::Slot;
use crate::memory::AllocError;
use crate::shard::Locks;
use crate::sync::{Ordering, fence};

/// Why a flow was not inserted.
pub(crate) enum Refusal<K, V> {
    IdenticalKeys,
    /// A live flow has a key of the refused one.
    Held {
        holder: StrongRef<K, V>,
        key: Direction,
    },
    Full,
    OutOfMemory,
}

/// A flow that was not inserted.
pub(super) type Refused<K, V> = (NewFlow<K, V>, Refusal<K, V>);

type InsertResult<E, K, V> = Result<Inserted<StrongRef<K, V>>, E>;

impl<K: Key, V: Value> Core<K, V> {
    /// Inserts the flow. `hashes` are the hashes of its keys.
    ///
    /// This is the usual case: the flow has one key, no slot in the table can be that key's, and there is room and
    /// memory. All other cases are left to [`insert_slow`](Self::insert_slow). The flow comes by value, and its
    /// parts go from where the caller has it straight to the entry.
    #[inline]
    pub(crate) fn insert(
        &self,
        flow: NewFlow<K, V>,
        hashes: KeyHashes,
        now: Timestamp,
        mode: Mode,
    ) -> InsertResult<Refused<K, V>, K, V> {
        if hashes.reply.is_some() {
            return self.insert_slow(flow, hashes, now, mode);
        }
        let hash = hashes.forward;
        // The bucket is not in the cache. It is loaded while the entry is written.
        self.shards.index.segment(hash).prefetch(hash);
        let mut shard = self.shards.lock(self.shards.index.shard_of(hash));
        let vacant = if self.shards.capacity.is_full() { None } else { shard.alloc(false, self.address()).ok() };
        let Some(vacant) = vacant else {
            drop(shard);
            return self.insert_slow(flow, hashes, now, mode);
        };
        let birth = self.bursts.era();
        let (new, timeout) = shard.write(vacant, flow, hashes, birth);
        let (at, deadline) = (new.at(), now + timeout);
        let filing = self.shards.filing(deadline, now);
        // The bucket comes last, so that there is time to load it.
        let armed = shard.arm(at, filing);
        let vacancy = armed.ok().and_then(|()| shard.vacancy(hash));
        // P12: reserve only if nothing can fail afterwards. A place that is taken and given back makes other
        // insertions fail in the meantime.
        let Some(place) = vacancy.filter(|_| self.shards.capacity.reserve()) else {
            let flow = shard.take_back(new);
            drop(shard);
            return self.insert_slow(flow, hashes, now, mode);
        };
        let handle = StrongRef::publish(new);
        shard.occupy(hash, place, Slot::new(at.index(), Direction::Forward));
        // P7: the flow starts by a plain store and not by a compare-and-swap, because only look-ups can know of
        // it, and they do not find it yet. Release: pairs with the Acquire load of the state. A look-up that
        // finds the flow by an outdated slot, that of the entry's last flow, sees the new slot from then on.
        fence(Ordering::Release);
        at.entry().state().reset(Status::Active, deadline);
        shard.count_insert(filing);
        drop(shard);
        self.shards.alarm.ring(filing);
        Ok(Inserted::new(handle))
    }

    #[inline(never)]
    fn insert_slow(
        &self,
        flow: NewFlow<K, V>,
        hashes: KeyHashes,
        now: Timestamp,
        mode: Mode,
    ) -> InsertResult<Refused<K, V>, K, V> {
        if flow.reply_key() == Some(flow.key()) {
            return Err((flow, Refusal::IdenticalKeys));
        }
        let (mut flow, mut room) = (Some(flow), Room::new(&self.shards, now));
        let refusal = loop {
            match Deferred::scope(|deferred| self.try_insert(&mut flow, hashes, mode, &mut room, deferred)) {
                Some(Ok(inserted)) => {
                    self.ring_for(&inserted.flow, now);
                    return Ok(inserted);
                }
                Some(Err(refusal)) => break refusal,
                None if room.make() => {}
                None => {
                    self.count_refusal(hashes);
                    break Refusal::Full;
                }
            }
        };
        Err((flow.expect("a flow that is refused is not taken"), refusal))
    }

    /// Wakes those who sleep, if they sleep longer than until a flow that became active at `now` comes up.
    pub(super) fn ring_for(&self, flow: &StrongRef<K, V>, now: Timestamp) {
        self.shards.alarm.ring(self.shards.filing(flow.deadline(), now));
    }

    /// Counts the refusal of a flow with these keys: the table is full.
    pub(super) fn count_refusal(&self, hashes: KeyHashes) {
        self.shards.get(self.shards.index.shard_of(hashes.forward)).counters.refusals.add(1);
    }

    /// Inserts the flow, which it takes out of `flow`, or leaves it there. Returns `None` if the table is full.
    fn try_insert(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: KeyHashes,
        mode: Mode,
        room: &mut Room<'_, K, V>,
        deferred: &mut Deferred<K, V>,
    ) -> Option<InsertResult<Refusal<K, V>, K, V>> {
        let (now, new) = (room.now(), flow.as_ref().expect("the caller's flow"));
        let keys = (new.key(), new.reply_key());
        let mut holders = self.find_holders(keys, hashes, Some(now), deferred);
        if let Some((holder, key)) = holders.conflict(mode) {
            return Some(Err(Refusal::Held { holder: holder.handle(deferred), key }));
        }
        // A flow that replaces another takes its place.
        let replaced = holders.forward.as_ref().filter(|holder| holder.live).map(|holder| holder.flow);
        if replaced.is_none() && room.is_missing() {
            return None;
        }
        let could_die = replaced.map_or(Ok(()), |old| holders.locks.shard(old.shard()).reserve_dying(1));
        let prepared = could_die.and_then(|()| self.prepare(&mut holders.locks, flow, hashes, now));
        let Ok((prepared, deadline)) = prepared else { return Some(Err(Refusal::OutOfMemory)) };
        let at = prepared.at();
        if replaced.is_none() && !room.reserve() {
            *flow = Some(holders.locks.of(hashes.forward).take_back(prepared));
            return None;
        }
        let mut inserted = Inserted::new(StrongRef::publish(prepared));
        self.install(&mut holders, at, hashes, deadline, now);
        if let Some(old) = replaced {
            let shard = holders.locks.shard(old.shard());
            if old.entry().state().load().status == Status::Detached {
                inserted.replaced = shard.let_go(old).map(StrongRef::from_table);
            } else if !self.shards.capacity.reserve() {
                // P4: it ended by itself while it was being replaced, and there is no place left for it. It
                // waits dying for the next reap.
                shard.die(old);
            }
        }
        Some(Ok(inserted))
    }

    /// P13. Prepares everything for which memory may be needed: slots, an entry with the flow in it, a place in
    /// the timer queue. The flow's shards are locked. If memory is missing, nothing has changed, and `flow`
    /// still holds the flow.
    fn prepare(
        &self,
        locks: &mut Locks<'_, K, V>,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: KeyHashes,
        now: Timestamp,
    ) -> Result<(Unpublished<K, V>, Timestamp), AllocError> {
        locks.reserve_slots(hashes)?;
        let shard = locks.of(hashes.forward);
        let vacant = shard.alloc(hashes.reply.is_some(), self.address())?;
        let birth = self.bursts.era();
        let (new, timeout) = shard.write(vacant, flow.take().expect("the caller's flow"), hashes, birth);
        let deadline = now + timeout;
        match shard.arm(new.at(), self.shards.filing(deadline, now)) {
            Ok(()) => Ok((new, deadline)),
            Err(AllocError) => {
                *flow = Some(shard.take_back(new));
                Err(AllocError)
            }
        }
    }
}
