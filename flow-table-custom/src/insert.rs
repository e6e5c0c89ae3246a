//! `insert`, `insert_if_absent` and `reinsert`.

use flow_table_api::{
    Direction, EndReason, Ended, Flow, Inserted, Key, NewFlow, ReinsertError, Status, Timestamp, Value,
};

use crate::admit::{Found, Hashes, Holder};
use crate::core::Core;
use crate::entry::{Entry, HELD};
use crate::handle::StrongRef;
use crate::index::EntryIndex;
use crate::locks::{Borrowings, Locks};
use crate::memory::AllocError;
use crate::page::Page;
use crate::room::Room;
use crate::shard::ShardInner;
use crate::slot::Slot;
use crate::sync::{Ordering, fence};

/// What to do about a live flow under the forward key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Replace,
    IfAbsent,
}

/// Why a flow was not inserted.
pub(crate) enum Refusal<K, V> {
    IdenticalKeys,
    /// A live flow has a key of the refused one: which.
    Held {
        holder: StrongRef<K, V>,
        key: Direction,
    },
    Full,
    OutOfMemory,
}

/// A flow in its entry, filed under its deadline, not yet found by anyone.
struct Prepared {
    index: EntryIndex,
    generation: u32,
    deadline: Timestamp,
}

type ReinsertResult<K, V> = Result<Inserted<StrongRef<K, V>>, ReinsertError<StrongRef<K, V>>>;

impl<K: Key, V: Value> Core<K, V> {
    /// Takes the flow out of `flow` if it is installed, and leaves it there if not: so it is moved once.
    pub(crate) fn insert(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        now: Timestamp,
        mode: Mode,
    ) -> Result<Inserted<StrongRef<K, V>>, Refusal<K, V>> {
        let new = flow.as_ref().expect("the caller's flow");
        let hashes = self.hashes(new.key(), new.reply_key());
        self.insert_hashed(flow, hashes, now, mode)
    }

    /// As [`insert`](Self::insert), with the hashes of the flow's keys.
    #[inline]
    pub(crate) fn insert_hashed(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: Hashes,
        now: Timestamp,
        mode: Mode,
    ) -> Result<Inserted<StrongRef<K, V>>, Refusal<K, V>> {
        let new = flow.as_ref().expect("the caller's flow");
        if new.reply_key() == Some(new.key()) {
            return Err(Refusal::IdenticalKeys);
        }
        if hashes.reply.is_none()
            && let Some(handle) = self.insert_fresh(flow, hashes, now)
        {
            return Ok(Inserted::new(handle));
        }
        self.insert_slow(flow, hashes, now, mode)
    }

    /// The usual case: one key, nothing in the table that could have it, room for it, and memory. Everything else is for
    /// [`insert_slow`](Self::insert_slow).
    #[inline]
    fn insert_fresh(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: Hashes,
        now: Timestamp,
    ) -> Option<StrongRef<K, V>> {
        let (hash, shard) = (hashes.forward, self.shard_of(hashes.forward));
        let (segment, local) = (self.segment(hash), self.local_segment(hash));
        // The bucket is far away: it comes while the entry is written.
        segment.prefetch(hash);
        let mut inner = self.lock(shard);
        if !self.capacity.reserve() {
            return None;
        }
        let Ok((index, generation)) = inner.slab(false).alloc(self, shard, false) else {
            self.capacity.give_back(1);
            return None;
        };
        inner.entries += 1;
        self.write(index, flow.take()?, hashes);
        let entry = self.entry(index);
        let deadline = now + entry.options().timeout();
        // The bucket last, to give it time.
        let armed = inner.timers.arm(index, deadline, &mut self.filed());
        let vacancy = armed.ok().and_then(|()| segment.vacancy(&inner.segments[local], hash));
        let Some(place) = vacancy else {
            inner.timers.disarm(index, &mut self.filed());
            self.take_back(&mut inner, index, flow);
            self.capacity.give_back(1);
            return None;
        };
        let handle = self.publish(index, generation);
        segment.occupy(&mut inner.segments[local], hash, place, Slot::new(index, Direction::Forward));
        // How the flow starts, not a move: nobody but look-ups, which do not find it yet, can know of it.
        // Release: pairs with the Acquire load of the state. Who finds the flow by an outdated slot, that of the entry's last
        // flow, sees the new slot from then on.
        fence(Ordering::Release);
        entry.state().reset(Status::Active, deadline);
        self.count(shard, &mut inner, deadline);
        Some(handle)
    }

    /// Counts a flow that is filed and has just become active. Its shard is locked.
    #[inline]
    fn count(&self, shard: usize, inner: &mut ShardInner, deadline: Timestamp) {
        self.shards[shard].counters.inserts.add_locked(inner, 1);
        self.due.lower(shard, deadline);
    }

    #[inline(never)]
    fn insert_slow(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: Hashes,
        now: Timestamp,
        mode: Mode,
    ) -> Result<Inserted<StrongRef<K, V>>, Refusal<K, V>> {
        let mut room = Room::new(self, now);
        loop {
            let mut borrowings = Borrowings::new();
            let new = flow.as_ref().expect("the caller's flow");
            let keys = (new.key(), new.reply_key());
            let mut found = self.find_holders(keys, hashes, Some(now), &mut borrowings);
            if let Some((holder, key)) = conflict(&found, mode) {
                return Err(Refusal::Held { holder: holder.handle(), key });
            }
            let replaces = found.forward.as_ref().is_some_and(|holder| holder.live);
            let reserved = self.capacity.reserve();
            if !reserved && !replaces {
                drop(found);
                drop(borrowings);
                if room.make() {
                    continue;
                }
                self.shards[self.shard_of(hashes.forward)].counters.refusals.add(1);
                return Err(Refusal::Full);
            }
            let Ok(Prepared { index, generation, deadline }) = self.prepare(&mut found.locks, flow, hashes, now)
            else {
                self.capacity.give_back(usize::from(reserved));
                return Err(Refusal::OutOfMemory);
            };
            let mut inserted = Inserted::new(self.publish(index, generation));
            if let Some((old, status)) = self.install(&mut found, index, hashes, deadline) {
                // Of a flow that ended while it was being replaced, the reap takes care, unless its room is needed.
                let reason = match status {
                    Status::Expired => Some(EndReason::Expired),
                    Status::Cancelled => Some(EndReason::Cancelled),
                    Status::Detached | Status::Active => None,
                };
                if reason.is_none() || !reserved {
                    let old = self.let_go(&mut found.locks, old);
                    self.capacity.give_back(usize::from(reserved));
                    match reason {
                        None => inserted.replaced = Some(old),
                        Some(reason) => room.add(Ended { flow: old, reason }),
                    }
                }
            }
            drop(found);
            inserted.made_room = room.take();
            return Ok(inserted);
        }
    }

    /// All for which memory may be needed: slots, an entry with the flow in it, a place in the timer queue. Its shards are
    /// locked. Without memory nothing has changed, and `flow` is the caller's.
    fn prepare(
        &self,
        locks: &mut Locks<'_>,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: Hashes,
        now: Timestamp,
    ) -> Result<Prepared, AllocError> {
        self.reserve_slots(locks, hashes)?;
        let (shard, pair) = (self.shard_of(hashes.forward), hashes.reply.is_some());
        let inner = locks.shard(shard);
        let (index, generation) = inner.slab(pair).alloc(self, shard, pair)?;
        inner.entries += 1;
        self.write(index, flow.take().expect("the caller's flow"), hashes);
        let deadline = now + self.entry(index).options().timeout();
        match inner.timers.arm(index, deadline, &mut self.filed()) {
            Ok(()) => Ok(Prepared { index, generation, deadline }),
            Err(AllocError) => {
                self.take_back(inner, index, flow);
                Err(AllocError)
            }
        }
    }

    /// Writes a flow into the entry that was taken for it, detached.
    fn write(&self, index: EntryIndex, flow: NewFlow<K, V>, hashes: Hashes) {
        let page = self.page_of(index);
        page.set_hashes(index.place(), hashes.forward, hashes.reply);
        page.set_timer(index.place(), 0);
        // SAFETY: (1) `alloc` gave the entry to the caller; (2) of the kind for this number of keys.
        unsafe { self.entry(index).write(flow.into_parts()) };
    }

    /// Undoes [`write`](Self::write), and frees the entry.
    #[cold]
    fn take_back(&self, inner: &mut ShardInner, index: EntryIndex, flow: &mut Option<NewFlow<K, V>>) {
        // SAFETY: it was written just now, and nobody references it: it was not published.
        *flow = Some(unsafe { self.entry(index).take() }.into());
        self.free(inner, index);
    }

    /// References a flow that was written for the table and for the caller.
    #[inline]
    fn publish(&self, index: EntryIndex, generation: u32) -> StrongRef<K, V> {
        let entry = self.entry(index);
        entry.refs().publish(generation, 2);
        // SAFETY: one of the two references just published; the other one is the table's.
        unsafe { StrongRef::from_counted(entry, Direction::Forward) }
    }

    /// Makes a detached flow that is filed under `deadline` active under its keys, in place of whoever is found under them.
    /// Its shards are locked. Gives the live flow that it replaced, with the status that that one has now.
    fn install(
        &self,
        found: &mut Found<'_, K, V>,
        index: EntryIndex,
        hashes: Hashes,
        deadline: Timestamp,
    ) -> Option<(Entry<K, V>, Status)> {
        let Found { locks, forward, reply } = found;
        let entry = self.entry(index);
        let ended = |holder: &&Holder<K, V>| !holder.live && holder.index != index;
        for holder in [&*forward, &*reply].into_iter().flatten().filter(ended) {
            self.unlink_locked(locks, holder.index);
        }
        let old = forward.as_ref().filter(|holder| holder.live);
        let activate = || entry.state().activate(deadline).expect("not active, and its shard is locked");
        match old {
            None => {
                // The compare-and-swap makes all keys appear at once.
                self.link(locks, index, hashes);
                activate();
            }
            Some(old) => {
                self.link(locks, index, hashes);
                self.switch(locks, old.index, hashes, || {
                    old.entry.state().detach();
                    activate();
                });
                self.unlink_locked(locks, old.index);
            }
        }
        let shard = self.shard_of(hashes.forward);
        self.count(shard, locks.shard(shard), deadline);
        let old = old?.entry;
        let status = old.state().load().status;
        if status == Status::Detached {
            self.shards[shard].counters.replaced.add(1);
        }
        Some((old, status))
    }

    /// Runs `change` while look-ups that miss the keys of the old or the new flow wait. Their shards are locked.
    fn switch(&self, locks: &mut Locks<'_>, old: EntryIndex, hashes: Hashes, change: impl FnOnce()) {
        let mut switched: Vec<_> = hashes.iter().map(|(hash, _)| hash).collect();
        switched.push(self.hash_in(old, Direction::Forward));
        if old.is_pair() {
            switched.push(self.hash_in(old, Direction::Reply));
        }
        let place = |hash| (self.shard_of(hash), self.local_segment(hash));
        switched.sort_unstable_by_key(|&hash| place(hash));
        switched.dedup_by_key(|hash| place(*hash));
        for &hash in &switched {
            let (shard, local) = place(hash);
            self.segment(hash).begin_switch(&mut locks.shard(shard).segments[local]);
        }
        change();
        for &hash in &switched {
            let (shard, local) = place(hash);
            self.segment(hash).end_switch(&mut locks.shard(shard).segments[local]);
        }
    }

    pub(crate) fn reinsert(&self, flow: &StrongRef<K, V>, now: Timestamp) -> ReinsertResult<K, V> {
        let (entry, (_, index)) = (flow.entry(), Page::of(flow.entry()));
        let ended = || match flow.state().load() {
            word if word.is_live(now) => Err(ReinsertError::Active),
            word if word.status == Status::Cancelled => Err(ReinsertError::Cancelled),
            _ => Ok(()),
        };
        ended()?;
        let hashes = Hashes {
            forward: self.hash_in(index, Direction::Forward),
            reply: index.is_pair().then(|| self.hash_in(index, Direction::Reply)),
        };
        let mut room = Room::new(self, now);
        loop {
            let mut borrowings = Borrowings::new();
            let keys = (flow.key(), flow.reply_key());
            let mut found = self.find_holders(keys, hashes, Some(now), &mut borrowings);
            self.expire(entry, now);
            ended()?;
            if let Some((holder, key)) = conflict(&found, Mode::IfAbsent) {
                return Err(ReinsertError::Conflict { holder: holder.handle(), key });
            }
            // Under the lock of the flow's shard, which `found` has.
            let held = entry.options().own(HELD);
            if !held && !self.capacity.reserve() {
                drop(found);
                drop(borrowings);
                if room.make() {
                    continue;
                }
                self.shards[self.shard_of(hashes.forward)].counters.refusals.add(1);
                return Err(ReinsertError::Full { capacity: self.capacity.limit() });
            }
            let deadline = now + entry.options().timeout();
            let slots = self.reserve_slots(&mut found.locks, hashes);
            let timers = &mut found.locks.shard(self.shard_of(hashes.forward)).timers;
            if held && slots.is_ok() {
                timers.disarm(index, &mut self.filed());
                timers.rearm(index, deadline, &mut self.filed());
            } else if slots.and_then(|()| timers.arm(index, deadline, &mut self.filed())).is_ok() {
                entry.refs().clone_one();
                entry.options().set_own(HELD);
            } else {
                self.capacity.give_back(usize::from(!held));
                return Err(ReinsertError::OutOfMemory);
            }
            self.unlink_locked(&mut found.locks, index);
            self.install(&mut found, index, hashes, deadline);
            drop(found);
            let mut inserted = Inserted::new(flow.forward());
            inserted.made_room = room.take();
            return Ok(inserted);
        }
    }
}

/// The live flow that stands in the way, and which of the new keys it has.
fn conflict<'f, K, V>(found: &'f Found<'_, K, V>, mode: Mode) -> Option<(&'f Holder<K, V>, Direction)> {
    let forward = found.forward.as_ref().filter(|holder| holder.live);
    if let (Some(holder), Mode::IfAbsent) = (forward, mode) {
        return Some((holder, Direction::Forward));
    }
    let reply = found.reply.as_ref().filter(|holder| holder.live);
    let other = reply.filter(|holder| forward.is_none_or(|forward| forward.entry != holder.entry));
    other.map(|holder| (holder, Direction::Reply))
}
