//! `insert`, `insert_if_absent`, and the insertion of the packet-miss path.

use flow_table_api::{Direction, Inserted, Key, NewFlow, Status, Timestamp, Value};

use crate::admit::Hashes;
use crate::core::Core;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::index::EntryIndex;
use crate::install::conflict;
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

type InsertResult<K, V> = Result<Inserted<StrongRef<K, V>>, Refusal<K, V>>;

/// A flow in its entry, filed under its deadline, not yet found by anyone.
struct Prepared {
    index: EntryIndex,
    generation: u32,
    deadline: Timestamp,
}

impl<K: Key, V: Value> Core<K, V> {
    /// Takes the flow out of `flow` if it is installed, and leaves it there if not: so it is moved once.
    pub(crate) fn insert(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        now: Timestamp,
        mode: Mode,
    ) -> InsertResult<K, V> {
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
    ) -> InsertResult<K, V> {
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
        if self.capacity.is_full() {
            return None;
        }
        let (index, generation) = inner.slab(false).alloc(self, shard, false).ok()?;
        inner.entries += 1;
        self.write(index, flow.take()?, hashes);
        let entry = self.entry(index);
        let deadline = now + entry.options().timeout();
        // The bucket last, to give it time.
        let armed = inner.timers.arm(index, deadline, &mut self.filed());
        let vacancy = armed.ok().and_then(|()| segment.vacancy(&inner.segments[local], hash));
        // Reserved only by those who then install: a place that is taken and given back refuses others meanwhile.
        let Some(place) = vacancy.filter(|_| self.capacity.reserve()) else {
            inner.timers.disarm(index, &mut self.filed());
            self.take_back(&mut inner, index, flow);
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

    #[inline(never)]
    fn insert_slow(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: Hashes,
        now: Timestamp,
        mode: Mode,
    ) -> InsertResult<K, V> {
        let mut room = Room::new(self, now);
        loop {
            let outcome =
                Borrowings::lend(|borrowings| self.try_insert(flow, hashes, mode, &mut room, borrowings));
            match outcome {
                Some(result) => return result,
                None if room.make() => {}
                None => {
                    self.shards[self.shard_of(hashes.forward)].counters.refusals.add(1);
                    return Err(Refusal::Full);
                }
            }
        }
    }

    /// Inserts the flow, unless the table is full.
    fn try_insert(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: Hashes,
        mode: Mode,
        room: &mut Room<'_, K, V>,
        borrowings: &mut Borrowings<K, V>,
    ) -> Option<InsertResult<K, V>> {
        let (now, new) = (room.now(), flow.as_ref().expect("the caller's flow"));
        let keys = (new.key(), new.reply_key());
        let mut found = self.find_holders(keys, hashes, Some(now), borrowings);
        if let Some((holder, key)) = conflict(&found, mode) {
            return Some(Err(Refusal::Held { holder: holder.handle(), key }));
        }
        // A flow that replaces another takes its place.
        let replaces = found.forward.as_ref().is_some_and(|holder| holder.live);
        if !replaces && room.is_missing() {
            return None;
        }
        if let Some(old) = found.forward.as_ref().filter(|_| replaces)
            && found.locks.shard(self.page_of(old.index).shard()).dying.reserve(1).is_err()
        {
            return Some(Err(Refusal::OutOfMemory));
        }
        let Ok(Prepared { index, generation, deadline }) = self.prepare(&mut found.locks, flow, hashes, now)
        else {
            return Some(Err(Refusal::OutOfMemory));
        };
        if !replaces && !room.reserve() {
            let inner = found.locks.shard(self.shard_of(hashes.forward));
            inner.timers.disarm(index, &mut self.filed());
            self.take_back(inner, index, flow);
            return None;
        }
        let mut inserted = Inserted::new(self.publish(index, generation));
        if let Some(old) = self.install(&mut found, index, hashes, deadline) {
            if old.state().load().status == Status::Detached {
                inserted.replaced = Some(self.let_go(&mut found.locks, old));
            } else if !self.capacity.reserve() {
                // It ended by itself while it was being replaced, and its place is taken.
                let (page, old) = Page::of(old);
                self.die(found.locks.shard(page.shard()), old);
            }
        }
        Some(Ok(inserted))
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
        self.entry(index).options().clear_own(HELD);
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
}
