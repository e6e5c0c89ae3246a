//! What a shard's lock allows: entries, slots, timers, and the search for flows that have ended. An operation
//! reaches all of this through [`ShardGuard`] only, so that it cannot forget the lock.

use flow_table_api::state::Expiry;
use flow_table_api::{Direction, EndReason, NewFlow, Status, Timeout, Timestamp};

use super::counters::Counters;
use super::filed::Filed;
use super::shards::{Shard, ShardState, Shards};
use crate::flows::{Empty, FlowAt, FlowEntry, TableRef, Unpublished, Vacant};
use crate::hash::{KeyHash, KeyHashes};
use crate::ids::EntryIndex;
use crate::index::{Place, Segment, Slot};
use crate::memory::AllocError;
use crate::sync::MutexGuard;
use crate::timer::{Entries, Position};

/// A locked shard. It is the only way to what the lock protects.
pub(crate) struct ShardGuard<'s, K, V> {
    pub(super) state: MutexGuard<'s, ShardState>,
    pub(super) shards: &'s Shards<K, V>,
    shard: &'s Shard,
    pub(super) number: usize,
}

/// A question about a flow that a reap asks.
#[derive(Clone, Copy)]
pub(crate) struct Question(Position);

/// The result of [`ShardGuard::find_held`].
pub(crate) enum Held<'s, K, V> {
    Found(Place<'s>, FlowAt<K, V>),
    /// No flow has the key.
    None,
    /// No such flow, but others that may have the key: of two keys, or not held by the table any more.
    Unsure,
}

/// Why a flow has ended that a reap hands over.
#[inline]
pub(crate) const fn reason_of(status: Status) -> EndReason {
    match status {
        Status::Cancelled => EndReason::Cancelled,
        _ => EndReason::Expired,
    }
}

impl<K, V> Shards<K, V> {
    #[inline]
    pub(crate) fn lock(&self, shard: usize) -> ShardGuard<'_, K, V> {
        let own = self.get(shard);
        ShardGuard { state: own.state.lock(), shards: self, shard: own, number: shard }
    }

    /// Locks the shard, if the lock is free or `wait` is set.
    #[inline]
    pub(crate) fn enter(&self, shard: usize, wait: bool) -> Option<ShardGuard<'_, K, V>> {
        let own = self.get(shard);
        let state = if wait { own.state.lock() } else { own.state.try_lock()? };
        Some(ShardGuard { state, shards: self, shard: own, number: shard })
    }

    /// Bytes of the shards and of what belongs to them.
    pub(crate) fn memory(&self) -> usize {
        let shards: usize = (0..self.len()).map(|shard| self.lock(shard).memory()).sum();
        shards + self.arena.pool().resident() + self.index.memory() + size_of_val(&*self.shards)
    }
}

/// Splits the guard's borrow into fields of the state and the entries as the timers see them.
macro_rules! split {
    ($guard:ident: $($field:ident),+ with $filed:ident) => {
        let ShardState { locked, $($field,)+ .. } = &mut *$guard.state;
        let $filed = &mut Filed::new($guard.shards, locked);
    };
}

impl<'s, K, V> ShardGuard<'s, K, V> {
    #[inline]
    pub(crate) const fn number(&self) -> usize {
        self.number
    }

    /// The number of the shard that a key's hash leads to.
    #[inline]
    pub(super) fn shard_of(&self, hash: KeyHash) -> usize {
        self.shards.index.shard_of(hash)
    }

    // ---- Entries -------------------------------------------------------------------------------------------

    /// Takes a free entry for a flow of this shard. `core` is the address of the table's core.
    #[inline(always)]
    pub(crate) fn alloc(&mut self, pair: bool, core: *const ()) -> Result<Vacant<K, V>, AllocError> {
        let ShardState { locked, slabs, entries, .. } = &mut *self.state;
        let vacant = slabs[usize::from(pair)].alloc(&self.shards.arena, locked, pair, core)?;
        *entries += 1;
        Ok(vacant)
    }

    /// Writes a flow that is born in this era into the entry that was taken for it. Returns its timeout beside it.
    #[inline]
    pub(crate) fn write(
        &mut self,
        entry: Vacant<K, V>,
        flow: NewFlow<K, V>,
        hashes: KeyHashes,
        birth: u32,
    ) -> (Unpublished<K, V>, Timeout) {
        entry.write(&mut self.state.locked, flow, hashes, birth)
    }

    /// Undoes [`write`](Self::write) and [`arm`](Self::arm), frees the entry, and returns the flow.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_back(&mut self, entry: Unpublished<K, V>) -> NewFlow<K, V> {
        self.disarm(entry.at());
        let (flow, entry) = entry.take_back();
        self.free(entry);
        flow
    }

    /// Frees an entry of this shard that has no slots.
    #[inline(always)]
    pub(crate) fn free(&mut self, entry: Empty<K, V>) {
        let ShardState { locked, slabs, entries, .. } = &mut *self.state;
        let look = slabs[usize::from(entry.at().is_pair())].free(&self.shards.arena, locked, entry);
        *entries -= 1;
        if look {
            self.note_if_sparse();
        }
    }

    /// Takes the table's reference to a flow, and takes the flow out of the timer queue. P4: whoever gets the
    /// reference also gets the flow's place in the capacity.
    #[inline(always)]
    pub(crate) fn let_go(&mut self, flow: FlowAt<K, V>) -> Option<TableRef<K, V>> {
        debug_assert!(!self.is_dying(flow), "only what is active, or was until now");
        {
            split!(self: timers with filed);
            timers.disarm(flow, filed);
        }
        self.claim(flow)
    }

    /// Takes the table's reference to a flow that is filed nowhere.
    #[inline]
    pub(crate) fn claim(&mut self, flow: FlowAt<K, V>) -> Option<TableRef<K, V>> {
        TableRef::take(flow, &mut self.state.locked)
    }

    /// Gives the table a reference of its own to a flow to which the caller has one.
    pub(crate) fn hold(&mut self, flow: FlowAt<K, V>) {
        TableRef::hold(flow, &mut self.state.locked);
    }

    /// P4. Returns the table's reference to a flow that has ended and could not be handed over. The flow waits
    /// dying for the next reap.
    ///
    /// # Errors
    ///
    /// The reference, if the table has another one by now.
    pub(crate) fn take_back_ended(&mut self, flow: TableRef<K, V>) -> Result<(), TableRef<K, V>> {
        let at = flow.at();
        flow.put_back(&mut self.state.locked)?;
        self.die(at);
        Ok(())
    }

    /// The numbers of the pages of one kind that the shard has.
    pub(crate) fn pages(&self, pair: bool) -> Vec<u32> {
        self.state.slabs[usize::from(pair)].pages().collect()
    }

    /// The entries of a page that may be in use. There are none if the page no longer belongs to this shard.
    pub(crate) fn entries_of(
        &mut self,
        page: u32,
        pair: bool,
    ) -> impl Iterator<Item = FlowAt<K, V>> + use<'s, K, V> {
        let (shards, state) = (self.shards, &mut *self.state);
        let owns = state.slabs[usize::from(pair)].owns(page);
        let used = owns.then(|| shards.arena.page(page, pair).used_places(&mut state.locked));
        used.into_iter().flatten().map(move |place| shards.arena.at(EntryIndex::new(page, place, pair)))
    }

    /// Marks the shard closed and returns the number of its entries in use. From now on, entries that are freed
    /// are counted out of the keeper.
    pub(crate) fn close(&mut self) -> usize {
        self.state.closed = true;
        self.state.entries
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.closed
    }

    // ---- Slots ---------------------------------------------------------------------------------------------

    #[inline]
    pub(crate) fn segment(&self, hash: KeyHash) -> &'s Segment {
        debug_assert_eq!(self.shards.index.shard_of(hash), self.number, "a hash of another shard");
        self.shards.index.segment(hash)
    }

    /// Makes room for a slot, and finds an empty one on the key's probe path. There is none if a slot on the path
    /// can be the key's, or memory is missing.
    #[inline]
    pub(crate) fn vacancy(&mut self, hash: KeyHash) -> Option<Place<'s>> {
        let Shards { arena, index, .. } = self.shards;
        let (segment, half) = (index.segment(hash), &mut self.state.segments[index.local(hash)]);
        segment.reserve(half, 1, &index.arrays, arena).ok()?;
        segment.vacancy(half, hash)
    }

    /// Fills the slot at `place`, which [`vacancy`](Self::vacancy) returned under the same lock.
    #[inline]
    pub(crate) fn occupy(&mut self, hash: KeyHash, place: Place<'_>, slot: Slot) {
        self.segment(hash).occupy(&mut self.state.segments[self.shards.index.local(hash)], hash, place, slot);
    }

    /// Makes room for `slots` more slots in the segment of `hash`.
    #[inline]
    pub(crate) fn reserve(&mut self, hash: KeyHash, slots: u32) -> Result<(), AllocError> {
        let Shards { arena, index, .. } = self.shards;
        let half = &mut self.state.segments[index.local(hash)];
        index.segment(hash).reserve(half, slots, &index.arrays, arena)
    }

    /// Fills a slot, unless it is filled already. There must be room.
    pub(crate) fn link(&mut self, hash: KeyHash, slot: Slot) {
        let segment = self.segment(hash);
        if segment.find(hash, |other| (other == slot).then_some(())).is_none() {
            segment.insert(&mut self.state.segments[self.shards.index.local(hash)], hash, slot);
        }
    }

    /// Empties a slot, if it is there.
    #[inline]
    pub(crate) fn unlink(&mut self, hash: KeyHash, slot: Slot) {
        let Shards { arena, index, .. } = self.shards;
        let (segment, half) = (self.segment(hash), &mut self.state.segments[index.local(hash)]);
        if segment.remove(half, hash, slot) {
            segment.shrink(half, &index.arrays, arena);
        }
    }

    /// Empties the slot of one of a flow's keys, if it is there.
    #[inline]
    pub(crate) fn unlink_key(&mut self, flow: FlowAt<K, V>, direction: Direction) {
        if flow.is_pair() || self.position(flow) != Position::UNLINKED {
            self.unlink_flow(flow, direction);
        }
    }

    #[inline(never)]
    fn unlink_flow(&mut self, flow: FlowAt<K, V>, direction: Direction) {
        self.unlink(flow.hash(direction), Slot::new(flow.index(), direction));
        self.note_unlinked(flow);
    }

    /// As [`unlink_key`](Self::unlink_key), for many flows with one key each.
    #[inline(always)]
    pub(crate) fn unlink_single(&mut self, flow: FlowAt<K, V>) {
        if self.position(flow) != Position::UNLINKED {
            self.unlink(flow.hash(Direction::Forward), Slot::new(flow.index(), Direction::Forward));
            self.note_unlinked(flow);
        }
    }

    /// Notes that a flow with one key has lost its slot, so that nobody looks for it again. This is noted until
    /// the flow is filed again.
    #[inline]
    pub(crate) fn note_unlinked(&mut self, flow: FlowAt<K, V>) {
        if !flow.is_pair() && self.position(flow) == Position::NONE {
            let bits = Position::UNLINKED.to_bits();
            flow.page().set_timer(&mut self.state.locked, flow.index().place(), bits);
        }
    }

    /// Finds the flow with one key that the table holds under that key.
    #[inline]
    pub(crate) fn find_held(
        &mut self,
        hash: KeyHash,
        mut is_wanted: impl FnMut(&FlowEntry<K, V>, Slot) -> bool,
    ) -> Held<'s, K, V> {
        let Shards { arena, index, .. } = self.shards;
        let ShardState { locked, segments, .. } = &mut *self.state;
        let mut others = false;
        let found = index.segment(hash).find_place(&mut segments[index.local(hash)], hash, |place, slot| {
            let flow = arena.at(slot.entry());
            // An entry for two keys may belong to another shard.
            let held = if flow.is_pair() { None } else { flow.held(locked) };
            match held {
                Some(entry) => is_wanted(entry, slot).then_some((place, flow)),
                None => {
                    others = true;
                    None
                }
            }
        });
        match found {
            Some((place, flow)) => Held::Found(place, flow),
            None if others => Held::Unsure,
            None => Held::None,
        }
    }

    /// Empties the slot at `place`, where [`find_held`](Self::find_held) has just found the flow.
    #[inline]
    pub(crate) fn vacate(&mut self, place: Place<'_>, flow: FlowAt<K, V>) {
        let Shards { arena, index, .. } = self.shards;
        // The flow's own hash, and not that of the key by which it was found: it may have been inserted with
        // another one, and then other buckets count it.
        let hash = flow.hash(Direction::Forward);
        let (segment, half) = (index.segment(hash), &mut self.state.segments[index.local(hash)]);
        segment.clear(half, hash, place);
        segment.shrink(half, &index.arrays, arena);
        self.note_unlinked(flow);
    }

    /// Increments the version of the segment of `hash`.
    pub(crate) fn bump(&mut self, hash: KeyHash) {
        self.segment(hash).bump(&mut self.state.segments[self.shards.index.local(hash)]);
    }

    // ---- Timers --------------------------------------------------------------------------------------------

    #[inline]
    pub(super) fn position(&self, flow: FlowAt<K, V>) -> Position {
        Position::from_bits(flow.page().timer(&self.state.locked, flow.index().place()))
    }

    /// Files a flow under its deadline. It must not be filed anywhere.
    #[inline(always)]
    pub(crate) fn arm(&mut self, flow: FlowAt<K, V>, deadline: Timestamp) -> Result<(), AllocError> {
        debug_assert!(!self.position(flow).is_filed(), "armed twice");
        split!(self: timers with filed);
        let position = timers.arm(flow.index(), deadline, filed)?;
        flow.page().set_timer(&mut self.state.locked, flow.index().place(), position.to_bits());
        Ok(())
    }

    /// Files a flow whose deadline has been brought forward, unless it comes up by then, or is filed nowhere
    /// because a reap asks about it: the reap reads the deadline afterwards.
    pub(crate) fn bring_forward(&mut self, flow: FlowAt<K, V>, deadline: Timestamp) {
        let from = {
            split!(self: timers with filed);
            timers.comes_up_from(flow, filed)
        };
        if from.is_some_and(|from| deadline < from) {
            self.disarm(flow);
            self.rearm(flow, deadline);
        }
        self.shards.due.lower(self.number, deadline);
    }

    /// Expires a flow that is due, and counts that.
    pub(crate) fn expire(&self, flow: FlowAt<K, V>, now: Timestamp) -> Expiry {
        let expiry = flow.entry().state().expire(now);
        if expiry == Expiry::Expired {
            self.shard.counters.expired.add(1);
        }
        expiry
    }

    /// Files a flow that is filed nowhere under `time`: an active one no later than its deadline.
    pub(crate) fn file(&mut self, flow: FlowAt<K, V>, time: Timestamp) {
        self.rearm(flow, time);
        self.shards.due.lower(self.number, time);
    }

    /// Files a flow again that was taken out of the timer queue to be moved.
    pub(crate) fn rearm(&mut self, flow: FlowAt<K, V>, deadline: Timestamp) {
        split!(self: timers with filed);
        timers.rearm(flow, deadline, filed);
    }

    /// Files an entry that is filed nowhere in the place of another one.
    pub(super) fn rename_timer(&mut self, old: FlowAt<K, V>, new: FlowAt<K, V>) {
        split!(self: timers with filed);
        timers.rename(old, new, filed);
    }

    /// Takes a flow out of the timer queue. Returns `false` if it was not filed there.
    #[inline(never)]
    pub(crate) fn disarm(&mut self, flow: FlowAt<K, V>) -> bool {
        split!(self: timers with filed);
        timers.disarm(flow, filed)
    }

    /// Counts a flow of this shard that was removed, or evicted.
    #[inline]
    pub(crate) fn count_removed(&mut self, evicted: bool) {
        let Counters { removed, evicted: others, .. } = &self.shard.counters;
        if evicted { others } else { removed }.add_locked(&mut self.state.locked, 1);
    }

    /// Counts a flow of this shard that has become active and is filed under `time`.
    #[inline]
    pub(crate) fn count_insert(&mut self, time: Timestamp) {
        self.shard.counters.inserts.add_locked(&mut self.state.locked, 1);
        self.lower_due(time);
    }

    /// Shows that there is work in this shard from `time` on, or later.
    #[inline]
    pub(crate) fn lower_due(&mut self, time: Timestamp) {
        self.shards.due.lower(self.number, time);
    }

    // ---- Flows that have ended -----------------------------------------------------------------------------

    /// Lets a flow die that has ended: it no longer has a place in the table, and waits for a reap.
    pub(crate) fn die(&mut self, flow: FlowAt<K, V>) {
        self.disarm(flow);
        self.push_dying(flow);
        self.shards.capacity.add_dying();
    }

    /// Puts a flow that is filed nowhere on the list of the dying. The caller has counted it as dying.
    pub(crate) fn push_dying(&mut self, flow: FlowAt<K, V>) {
        split!(self: dying with filed);
        let is_first = dying.is_empty();
        dying.push(flow.index(), filed);
        if is_first {
            self.shards.due.set_dying(self.number, true);
        }
    }

    /// Makes room for `flows` more flows on the list of the dying.
    pub(crate) fn reserve_dying(&mut self, flows: usize) -> Result<(), AllocError> {
        self.state.dying.reserve(flows)
    }

    pub(crate) fn is_dying(&self, flow: FlowAt<K, V>) -> bool {
        self.position(flow).is_dying()
    }

    /// Takes a flow off the list of the dying. Returns `false` if it was not there.
    pub(crate) fn remove_dying(&mut self, flow: FlowAt<K, V>) -> bool {
        split!(self: dying with filed);
        let removed = dying.remove(flow, filed);
        if removed && dying.is_empty() {
            self.shards.due.set_dying(self.number, false);
        }
        removed
    }

    /// Takes one flow off the list of the dying.
    #[inline]
    pub(crate) fn pop_dying(&mut self) -> Option<FlowAt<K, V>> {
        split!(self: dying with filed);
        let flow = dying.pop(filed)?;
        if dying.is_empty() {
            self.shards.due.set_dying(self.number, false);
        }
        Some(flow)
    }

    /// Searches, within the budget, for flows that have a place in the table and have ended or are due. Passes
    /// at most `most` of them to `take`; they are no longer filed anywhere then. If `take` returns `false`, the
    /// flow is filed again as due, and the search ends.
    #[inline]
    pub(crate) fn search_ended(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        rescheduled: &mut usize,
        mut most: usize,
        mut take: impl FnMut(&mut Self, FlowAt<K, V>, EndReason) -> bool,
    ) {
        let Shard { notices, counters, .. } = self.shard;
        let mut expired = 0;
        if !notices.is_empty() {
            self.search_noticed(budget, rescheduled, &mut most, &mut take);
        }
        while most > 0 {
            split!(self: timers with filed);
            let Some(flow) = timers.pop_due(now, budget, rescheduled, filed) else { break };
            let reason = match flow.entry().state().expire(now) {
                Expiry::Expired => {
                    expired += 1;
                    EndReason::Expired
                }
                Expiry::NotActive(status) => reason_of(status),
                Expiry::NotDue(deadline) => {
                    // A refresh came between.
                    *rescheduled += 1;
                    self.rearm(flow, self.shards.filing(deadline, now));
                    continue;
                }
            };
            most = self.pass_on(flow, reason, most, &mut take);
        }
        if expired > 0 {
            counters.expired.add(expired);
        }
        self.settle();
    }

    /// Takes out a flow whose time to be looked at has come, whether its deadline has passed or not. It is filed
    /// nowhere then. Returns the time under which it was filed, or a bit less, beside it. Call
    /// [`settle`](Self::settle) when no more flows are taken.
    pub(crate) fn pop_up(&mut self, now: Timestamp) -> Option<(FlowAt<K, V>, Timestamp)> {
        split!(self: timers with filed);
        timers.pop(now, filed)
    }

    /// P14. Marks a flow that [`pop_up`](Self::pop_up) has returned as one that a reap asks about.
    pub(crate) fn mark_asked(&mut self, flow: FlowAt<K, V>) -> Question {
        let question = Question(Position::asked(self.shards.next_question()));
        flow.page().set_timer(&mut self.state.locked, flow.index().place(), question.0.to_bits());
        question
    }

    /// P14. Ends a question: returns `true` if the table holds the flow, and nobody has filed it since.
    pub(crate) fn end_question(&mut self, flow: FlowAt<K, V>, question: Question) -> bool {
        let is_open = self.position(flow) == question.0;
        if is_open {
            flow.page().set_timer(&mut self.state.locked, flow.index().place(), Position::NONE.to_bits());
        }
        is_open && flow.entry().is_held()
    }

    /// Sets the shard's time after it has been searched.
    #[inline]
    pub(crate) fn settle(&mut self) {
        let notices = &self.shard.notices;
        // The time is never later than the work that is known. It is lowered once more for a notice that has
        // come in between.
        let next = if notices.is_empty() { self.state.timers.next_due() } else { Some(Timestamp::ZERO) };
        self.shards.due.settle(self.number, next);
        if !notices.is_empty() {
            self.shards.due.lower(self.number, Timestamp::ZERO);
        }
    }

    /// Passes a flow that has ended to `take`. Returns how many more may be passed.
    #[inline]
    fn pass_on(
        &mut self,
        flow: FlowAt<K, V>,
        reason: EndReason,
        most: usize,
        take: &mut impl FnMut(&mut Self, FlowAt<K, V>, EndReason) -> bool,
    ) -> usize {
        if take(self, flow, reason) {
            return most - 1;
        }
        self.rearm(flow, Timestamp::ZERO);
        0
    }

    /// The part of [`search_ended`](Self::search_ended) for flows that ended without the shard's lock. A notice
    /// about a flow that came back, is gone or is dying also counts as a visit.
    #[cold]
    pub(crate) fn search_noticed(
        &mut self,
        budget: &mut usize,
        rescheduled: &mut usize,
        most: &mut usize,
        take: &mut impl FnMut(&mut Self, FlowAt<K, V>, EndReason) -> bool,
    ) {
        let (arena, notices) = (&self.shards.arena, &self.shard.notices);
        while *budget > 0
            && *most > 0
            && let Some(slot) = notices.take()
        {
            for pair in [false, true] {
                let noticed = |state: &ShardState| {
                    let mut pages = state.slabs[usize::from(pair)].pages_of_slot(slot);
                    pages.find(|&page| !arena.page(page, pair).notices().is_empty())
                };
                while *budget > 0
                    && *most > 0
                    && let Some(page) = noticed(&self.state)
                    && let Some(place) = arena.page(page, pair).notices().take()
                {
                    *budget -= 1;
                    let flow = arena.at(EntryIndex::new(page, place, pair));
                    let status = flow.entry().state().load().status;
                    if flow.entry().is_held() && status != Status::Active && !self.is_dying(flow) {
                        self.disarm(flow);
                        *most = self.pass_on(flow, reason_of(status), *most, take);
                    } else {
                        *rescheduled += 1;
                    }
                }
                if noticed(&self.state).is_some() {
                    notices.put(slot);
                }
            }
        }
    }

    // ---- The whole shard -----------------------------------------------------------------------------------

    /// Bytes on the heap that grow with the number of flows, except pages and arrays.
    pub(crate) fn memory(&self) -> usize {
        let ShardState { timers, dying, slabs, .. } = &*self.state;
        timers.memory() + dying.memory() + slabs.iter().map(crate::flows::Slab::memory).sum::<usize>()
    }

    /// Gives back all memory that can be given back.
    pub(crate) fn shrink(&mut self) {
        {
            split!(self: timers, dying with filed);
            timers.shrink(filed);
            dying.shrink();
        }
        let ShardState { locked, slabs, .. } = &mut *self.state;
        for (slab, pair) in slabs.iter_mut().zip([false, true]) {
            slab.shrink(&self.shards.arena, locked, pair);
        }
    }

    /// Checks that the shard's parts agree with each other. Returns what is wrong otherwise.
    pub(crate) fn verify(&mut self) -> Result<(), String> {
        let Shards { arena, index, .. } = self.shards;
        for (local, segment) in index.of_shard(self.number).iter().enumerate() {
            let wrong = |wrong| format!("segment {local} of shard {}: {wrong}", self.number);
            segment.verify(&mut self.state.segments[local], arena).map_err(wrong)?;
        }
        split!(self: dying with filed);
        for (at, index) in dying.iter().enumerate() {
            let entry = arena.entry(index);
            let is_ended = entry.is_held() && entry.state().load().status != Status::Active;
            if !is_ended || filed.position(filed.find(index)) != Position::dying(at) {
                return Err(format!("{index:?} is number {at} of the dying, and is not dying"));
            }
        }
        Ok(())
    }

    #[cfg(all(test, not(flow_table_loom)))]
    pub(crate) fn used_slots(&self) -> usize {
        self.state.segments.iter().map(crate::index::LockedHalf::used).sum()
    }

    #[cfg(all(test, not(flow_table_loom)))]
    pub(crate) fn locked(&mut self) -> &mut crate::flows::Locked {
        &mut self.state.locked
    }

    #[cfg(all(test, not(flow_table_loom)))]
    pub(crate) fn entries(&self) -> usize {
        self.state.entries
    }
}
