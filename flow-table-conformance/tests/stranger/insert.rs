//! Insertion: look at both keys first, then decide, then change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use flow_table_conformance::api::state::{FlowOptions, FlowState};
use flow_table_conformance::api::{
    Direction, Flow, InsertError, Inserted, Key, KeyHash, NewFlow, NewFlowParts, ReinsertError, Status, Table,
    Timestamp, Value,
};

use super::flaw::Flaw;
use super::inner::{Inner, Met, Spare, Visit, has_tag_of};
use super::node::{Body, Handle, Node};
use super::shared::Shared;
use super::{ReadmissionResult, Stranger};

/// How many flows an insertion into a full table looks at to find room.
const ROOM_VISITS: usize = 64;

/// Why a flow was not inserted.
pub enum Refused<K: Key, V: Value> {
    /// A live flow has one of its keys.
    Held {
        flow: NewFlow<K, V>,
        holder: Handle<K, V>,
        key: Direction,
    },
    Otherwise(InsertError<K, V, Handle<K, V>>),
}

impl<K: Key, V: Value> From<InsertError<K, V, Handle<K, V>>> for Refused<K, V> {
    fn from(error: InsertError<K, V, Handle<K, V>>) -> Self {
        Self::Otherwise(error)
    }
}

type Preparation<K, V> = Result<Handle<K, V>, InsertError<K, V, Handle<K, V>>>;
type InsertResult<K, V> = Result<Inserted<Handle<K, V>>, Refused<K, V>>;

/// The flows under the keys of a new one, due ones expired.
struct Holders<K: Key, V: Value> {
    met: Vec<Holder<K, V>>,
}

struct Holder<K: Key, V: Value> {
    node: Arc<Node<K, V>>,
    /// Which of its own keys it was found by.
    direction: Direction,
    /// Which of the new flow's keys that is.
    key: Direction,
    live: bool,
}

impl<K: Key, V: Value> Holders<K, V> {
    fn new(
        table: &Shared<K, V>,
        inner: &mut Inner<K, V>,
        forward: Met<K, V>,
        reply: Met<K, V>,
        now: Timestamp,
    ) -> Self {
        let met = [(forward, Direction::Forward), (reply, Direction::Reply)];
        let met = met.into_iter().filter_map(|(met, key)| {
            let (node, direction) = met?;
            let live = inner.settle(&node, now) || table.is(Flaw::EndedFlowsBlock) && node.is_held();
            Some(Holder { node, direction, key, live })
        });
        Self { met: met.collect() }
    }

    /// The first live flow for which `matters` holds, with the new flow's key that it has.
    fn live(&self, matters: impl Fn(&Node<K, V>, Direction) -> bool) -> Option<(Handle<K, V>, Direction)> {
        let found = self.met.iter().find(|met| met.live && matters(&met.node, met.key));
        found.map(|met| (Handle::new(Arc::clone(&met.node), met.direction), met.key))
    }
}

impl<K: Key, V: Value> Stranger<K, V> {
    pub(super) fn admit(&self, flow: NewFlow<K, V>, now: Timestamp, replace: bool) -> InsertResult<K, V> {
        let mut spare = Vec::new();
        self.0.hesitate(if replace { Flaw::ReplacingTakesAPlace } else { Flaw::LookingTakesAPlace });
        let result = self.admit_by(flow, now, replace, &mut spare);
        if let Ok(inserted) = &result
            && !self.0.is(Flaw::InsertingWakesNobody)
        {
            self.0.ring(self.0.filing(inserted.flow.deadline(), now));
        }
        self.0.give(result, spare)
    }

    fn admit_by(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
        replace: bool,
        spare: &mut Spare<K, V>,
    ) -> InsertResult<K, V> {
        if flow.reply_key() == Some(flow.key()) {
            return Err(InsertError::IdenticalKeys { flow }.into());
        }
        let told = flow.hash().map(KeyHash::get);
        let first = told.unwrap_or_else(|| self.0.hash(flow.key()));
        let second = told.filter(|_| self.0.is(Flaw::ToldHashForBothKeys)).or(flow.reply_hash().map(KeyHash::get));
        let reply = flow.reply_key().map(|key| second.unwrap_or_else(|| self.0.hash(key)));
        let hashes: Vec<u64> = std::iter::once(first).chain(reply).collect();

        let mut inner = self.0.inner.write();
        if self.0.is(Flaw::InsertingClearsByTag)
            && hashes.iter().any(|&hash| inner.has_dead(|other| has_tag_of(other, hash)))
        {
            inner.clear_by_tag(hashes[0]);
        }
        if self.0.is(Flaw::GrowsInTwoSteps) {
            let slots = std::mem::take(&mut inner.index);
            drop(inner);
            std::thread::yield_now();
            inner = self.0.inner.write();
            for (hash, slots) in slots {
                inner.index.entry(hash).or_default().extend(slots);
            }
        }
        inner.reserved += usize::from(self.0.is(Flaw::PanicTakesAPlace));
        let forward = inner.find(hashes[0], flow.key(), spare);
        let mut reply = flow.reply_key().and_then(|key| inner.find(hashes[1], key, spare));
        if self.0.is(Flaw::IgnoresTheReplyKey) {
            reply = None;
        }
        inner.reserved -= usize::from(self.0.is(Flaw::PanicTakesAPlace));
        let holders = Holders::new(&self.0, &mut inner, forward, reply, now);

        let replaced = holders.live(|_, key| replace && key == Direction::Forward).map(|(flow, _)| flow);
        let hinders = |node: &Node<K, V>, _| replaced.as_ref().is_none_or(|replaced| replaced.id != node.id);
        if let Some((holder, key)) = holders.live(hinders) {
            if let Some(old) = replaced.filter(|_| self.0.is(Flaw::ConflictHalfDone)) {
                inner.unlink(old.id, &old.hashes);
            }
            return Err(Refused::Held { flow, holder, key });
        }
        let needs_room = replaced.is_none() || self.0.is(Flaw::ReplacingNeedsRoom);
        if needs_room && !self.make_room(&mut inner, now) {
            inner.stats.refusals += 1;
            return Err(InsertError::Full { flow, capacity: self.capacity() }.into());
        }

        if self.0.is(Flaw::ChecksThenActs) {
            drop(inner);
            std::thread::yield_now();
            inner = self.0.inner.write();
        }

        if let Some(old) = &replaced {
            old.state.detach();
            inner.stats.ended.replaced += 1;
            if !self.0.is(Flaw::StaleEntryRemovesByKey) {
                spare.extend(inner.release(old.id));
            }
        }
        for Holder { node, .. } in &holders.met {
            inner.unlink(node.id, &node.hashes);
        }
        let node = self.node(flow, hashes);
        let mut deadline = now + node.timeout();
        if self.0.is(Flaw::DeadlineWraps) {
            deadline = Timestamp::from_nanos(now.as_nanos().wrapping_add(node.timeout().as_nanos() as u64));
        }
        node.state.activate(deadline).expect("a new flow is detached");
        inner.install(&node, self.0.filing(deadline, now));
        if self.0.is(Flaw::ReplacementNotQueued) && replaced.is_some() {
            spare.extend(inner.release(node.id));
        }
        if self.0.is(Flaw::PairInTwoSteps) && node.reply_key().is_some() {
            inner.unlink(node.id, &node.hashes[1..]);
            drop(inner);
            std::thread::yield_now();
            self.0.inner.write().link(&node, Direction::Reply);
        } else if self.0.is(Flaw::ActivatesLast) {
            drop(inner);
            (0..1_000).take_while(|_| node.status() == Status::Active).for_each(|_| std::thread::yield_now());
            node.state.reset(Status::Active, deadline);
        }
        let mut inserted = Inserted::new(Handle::new(node, Direction::Forward));
        inserted.replaced = replaced;
        Ok(inserted)
    }

    pub(super) fn readmit(&self, flow: &Handle<K, V>, now: Timestamp) -> ReadmissionResult<K, V> {
        let mut spare = Vec::new();
        self.0.hesitate(Flaw::PuttingBackTakesAPlace);
        let result = self.readmit_by(flow, now, &mut spare);
        if result.is_ok() {
            self.0.ring(self.0.filing(flow.deadline(), now));
        }
        self.0.give(result, spare)
    }

    fn readmit_by(&self, flow: &Handle<K, V>, now: Timestamp, spare: &mut Spare<K, V>) -> ReadmissionResult<K, V> {
        self.check_own(flow)?;
        let mut inner = self.0.inner.write();
        let forward = inner.find(flow.hashes[0], flow.key(), spare);
        let reply = flow.reply_key().and_then(|key| inner.find(flow.hashes[1], key, spare));
        match flow.status() {
            Status::Active => return Err(ReinsertError::Active),
            Status::Cancelled if self.0.is(Flaw::RevivesTheCancelled) => {
                flow.state.reset(Status::Detached, now);
            }
            Status::Cancelled => return Err(ReinsertError::Cancelled),
            Status::Detached | Status::Expired => {}
        }
        let holders = Holders::new(&self.0, &mut inner, forward, reply, now);
        if let Some((holder, key)) = holders.live(|_, _| true) {
            return Err(ReinsertError::Conflict { holder, key });
        }
        let has_place = inner.has_place(flow.id) && !self.0.is(Flaw::ComingBackNeedsRoom);
        if !has_place && !self.make_room(&mut inner, now) {
            inner.stats.refusals += 1;
            return Err(ReinsertError::Full { capacity: self.capacity() });
        }
        for Holder { node, .. } in &holders.met {
            inner.unlink(node.id, &node.hashes);
        }
        inner.unlink(flow.id, &flow.hashes);
        if self.0.is(Flaw::PuttingBackLeavesANote) {
            inner.notes.push(flow.id);
        }
        let deadline = now + flow.timeout();
        flow.state.activate(deadline).expect("the lock is held since the status was read");
        inner.install(flow.node(), self.0.filing(deadline, now));
        if self.0.is(Flaw::ReinsertsByItsOwnHash) && flow.hashes[0] != self.0.hash(flow.key()) {
            // It is filed under the other hash, and so not found by this one.
            inner.unlink(flow.id, &flow.hashes);
        }
        Ok(Handle::new(Arc::clone(flow.node()), Direction::Forward))
    }

    pub(super) fn make_ready(&self, flow: NewFlow<K, V>) -> Preparation<K, V> {
        if flow.reply_key() == Some(flow.key()) {
            return Err(InsertError::IdenticalKeys { flow });
        }
        let hash = |key, known: Option<KeyHash>| known.map_or_else(|| self.0.hash(key), KeyHash::get);
        let reply = flow.reply_key().map(|key| hash(key, flow.reply_hash()));
        let hashes = std::iter::once(hash(flow.key(), flow.hash())).chain(reply).collect();
        let node = self.node(flow, hashes);
        if self.0.is(Flaw::PreparedFlowsTakeAPlace) {
            self.0.inner.write().reserved += 1;
        }
        if self.0.is(Flaw::PreparedFlowsAreFound) {
            node.state.activate(Timestamp::MAX).expect("a new flow is detached");
            self.0.inner.write().link(&node, Direction::Forward);
        }
        Ok(Handle::new(node, Direction::Forward))
    }

    fn node(&self, flow: NewFlow<K, V>, hashes: Vec<u64>) -> Arc<Node<K, V>> {
        let NewFlowParts { key, reply, value, timeout, on_expiry } = flow.into_parts();
        Arc::new_cyclic(|me| Node {
            // Relaxed: the numbers only have to differ.
            id: self.0.ids.fetch_add(1, Ordering::Relaxed),
            table: Arc::downgrade(&self.0),
            me: me.clone(),
            hashes,
            body: Some(Body { key, reply, value }),
            records: self.0.records.clone(),
            state: FlowState::new(),
            options: FlowOptions::new(timeout, on_expiry, FlowOptions::SLACK),
            slack: self.0.slack,
            thread: std::thread::current().id(),
            handles: AtomicUsize::new(0),
            died: AtomicBool::new(false),
            asked: AtomicU64::new(0),
        })
    }

    /// Returns `true` if there is room for one more flow, perhaps after others that have ended gave up their
    /// places.
    fn make_room(&self, inner: &mut Inner<K, V>, now: Timestamp) -> bool {
        let mut capacity = self.capacity();
        if self.0.is(Flaw::RefusesTheLastPlace) && inner.len() + 1 == capacity {
            return false;
        }
        if self.0.is(Flaw::SometimesMakesNoRoom)
            && inner.len() >= capacity
            && inner.stats.inserts.is_multiple_of(3)
        {
            return false;
        }
        capacity += usize::from(self.0.is(Flaw::ExceedsTheLimit));
        for _ in 0..ROOM_VISITS {
            if inner.len() + inner.reserved < capacity {
                return true;
            }
            if inner.dying() >= capacity && !self.0.is(Flaw::IgnoresTheAllowance) {
                return false;
            }
            match inner.visit_for_room(now) {
                Visit::NothingDue => return false,
                Visit::Rescheduled => {}
                Visit::Ended(node, _) => {
                    if self.0.is(Flaw::MakingRoomLeaks) {
                        std::mem::forget(Arc::clone(&node));
                    }
                    inner.die(node.id, &node);
                    if self.0.is(Flaw::OnePlaceIsEnough) {
                        return true;
                    }
                }
            }
        }
        false
    }
}
