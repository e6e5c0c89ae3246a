//! What the table's lock protects. Only `find` calls user code (`Eq` of keys), and it changes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use flow_table_conformance::api::state::Expiry;
use flow_table_conformance::api::{
    Answer, Direction, EndReason, Equivalent, Flow, Key, Stats, Status, Timestamp, Value,
};

use super::flaw::Flaw;
use super::node::Node;

/// A reference that must only be dropped without the lock, as it may be the last one.
pub type Spare<K, V> = Vec<Arc<Node<K, V>>>;
pub type Met<K, V> = Option<(Arc<Node<K, V>>, Direction)>;

/// Whether two hashes have the same tag, if hashes had any.
pub const fn has_tag_of(one: u64, other: u64) -> bool {
    (one ^ other) & 7 == 0
}

pub struct Slot<K: Key, V: Value> {
    id: u64,
    direction: Direction,
    node: Weak<Node<K, V>>,
}

pub struct Inner<K: Key, V: Value> {
    /// The slots by the hash of their key.
    pub index: HashMap<u64, Vec<Slot<K, V>>>,
    /// The table's references, by flow: active ones and those that wait for a reap.
    held: HashMap<u64, (Arc<Node<K, V>>, Timestamp)>,
    /// The same flows by the time to look at them: no later than their deadline, and zero for those that have
    /// ended.
    queue: BTreeSet<(Timestamp, u64)>,
    /// Those of the flows held that have given up their places. In the queue no more.
    dying: BTreeSet<u64>,
    pub stats: Stats,
    /// Ends that the next reap has to look at. Only flaws leave any.
    pub notes: Vec<u64>,
    /// Notes that are never worked off.
    kept_notes: Vec<[u64; 8]>,
    /// Places taken by insertions under way: none, as those hold the lock.
    pub reserved: usize,
    /// Questions asked.
    questions: u64,
    flaw: Option<Flaw>,
}

/// What [`Inner::visit_due`] did.
pub enum Visit<K: Key, V: Value> {
    NothingDue,
    Rescheduled,
    Ended(Arc<Node<K, V>>, EndReason),
}

fn reason_of<K: Key, V: Value>(node: &Node<K, V>) -> EndReason {
    if node.status() == Status::Cancelled { EndReason::Cancelled } else { EndReason::Expired }
}

impl<K: Key, V: Value> Inner<K, V> {
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self {
            index: HashMap::new(),
            held: HashMap::new(),
            queue: BTreeSet::new(),
            dying: BTreeSet::new(),
            stats: Stats::new(),
            notes: Vec::new(),
            kept_notes: Vec::new(),
            reserved: 0,
            questions: 0,
            flaw,
        }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Flows that have a place.
    pub fn len(&self) -> usize {
        self.held.len() - self.dying.len()
    }

    pub fn dying(&self) -> usize {
        self.dying.len()
    }

    /// Whether the flow has a place.
    pub fn has_place(&self, id: u64) -> bool {
        self.held.contains_key(&id) && (!self.dying.contains(&id) || self.is(Flaw::DyingNeedsNoRoom))
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        let forgotten = self.len() == 0 && self.is(Flaw::DyingAreNoWork);
        if !self.dying.is_empty() && !forgotten {
            return Some(Timestamp::ZERO);
        }
        self.queue.first().map(|&(time, _)| time)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node<K, V>>> {
        self.held.values().map(|(node, _)| node)
    }

    /// The flow that has a slot under `key`, in whatever state.
    pub fn find<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q, spare: &mut Spare<K, V>) -> Met<K, V> {
        for slot in self.index.get(&hash)? {
            let Some(node) = slot.node.upgrade() else { continue };
            spare.push(Arc::clone(&node));
            let is_its_own = node.key_for(slot.direction).is_some_and(|own| key.equivalent(own));
            if is_its_own || self.is(Flaw::FindsByHash) {
                return Some((node, slot.direction));
            }
        }
        None
    }

    /// Expires the flow if it is due. Returns `true` if it is live after that.
    pub fn settle(&mut self, node: &Node<K, V>, now: Timestamp) -> bool {
        if node.state.expire(self.expiry_time(node, now)) == Expiry::Expired {
            self.stats.ended.expired += 1;
            self.file(node.id, Timestamp::ZERO);
        }
        node.is_live(now)
    }

    /// `now`, unless the flaw is one of expiry.
    fn expiry_time(&self, node: &Node<K, V>, now: Timestamp) -> Timestamp {
        let age_wraps = || {
            let refreshed = node.deadline().as_nanos().wrapping_sub(node.timeout().as_nanos() as u64);
            now.as_nanos().wrapping_sub(refreshed) >= node.timeout().as_nanos() as u64
        };
        let due_once = || {
            let due = now >= node.deadline();
            std::thread::yield_now();
            due
        };
        let queued_due = || self.held.get(&node.id).is_some_and(|(_, filed)| *filed <= now);
        let over = match self.flaw {
            Some(Flaw::AgeWrapsAround) => age_wraps(),
            Some(Flaw::LosesRefreshes) => due_once(),
            Some(Flaw::IgnoresRefreshes) => queued_due(),
            _ => false,
        };
        if over { Timestamp::MAX } else { now }
    }

    /// Makes `node`, just activated, the flow under its keys, and keeps it.
    pub fn install(&mut self, node: &Arc<Node<K, V>>, filing: Timestamp) {
        for direction in [Direction::Forward, Direction::Reply] {
            self.link(node, direction);
        }
        // Relaxed: the lock is held.
        node.asked.store(0, Ordering::Relaxed);
        self.held.entry(node.id).or_insert_with(|| (Arc::clone(node), filing));
        if !self.is(Flaw::HandsOverWhatCameBack) {
            self.dying.remove(&node.id);
            // Relaxed: as in `die`.
            node.died.store(false, Ordering::Relaxed);
        }
        self.file(node.id, filing);
        self.stats.inserts += 1;
        if self.is(Flaw::KeepsNotesOfAll) {
            self.kept_notes.push([node.id; 8]);
        }
    }

    /// Makes a slot for one key of `node`, if it has that.
    pub fn link(&mut self, node: &Arc<Node<K, V>>, direction: Direction) {
        if let Some(&hash) = node.hashes.get(usize::from(direction == Direction::Reply)) {
            let slot = Slot { id: node.id, direction, node: Arc::downgrade(node) };
            self.index.entry(hash).or_default().push(slot);
        }
    }

    /// Removes some slot of another flow that is there and has the same tag.
    pub fn clear_by_tag(&mut self, hash: u64) {
        let is_there = |slots: &Vec<Slot<K, V>>| slots.iter().all(|slot| slot.node.strong_count() > 0);
        let alike = |(other, slots): (&u64, _)| {
            (*other != hash && has_tag_of(*other, hash) && is_there(slots)).then_some(*other)
        };
        if let Some(hash) = self.index.iter().find_map(alike) {
            self.index.remove(&hash);
        }
    }

    /// Removes the slots of the flow `id`.
    pub fn unlink(&mut self, id: u64, hashes: &[u64]) {
        if let &[_, reply] = hashes
            && self.is(Flaw::UnlinkingClearsByTag)
        {
            self.clear_by_tag(reply);
        }
        for hash in if self.is(Flaw::UnlinksOneKey) { &hashes[..1] } else { hashes } {
            if let Some(slots) = self.index.get_mut(hash) {
                slots.retain(|slot| slot.id != id);
                if slots.is_empty() {
                    self.index.remove(hash);
                }
            }
        }
    }

    /// Whether a flow is gone that has left a slot under a hash like this.
    pub fn has_dead(&self, is_like: impl Fn(u64) -> bool) -> bool {
        let is_dead = |slot: &Slot<K, V>| slot.node.strong_count() == 0;
        self.index.iter().any(|(&hash, slots)| is_like(hash) && slots.iter().any(is_dead))
    }

    /// Removes slots under `hash` whose flows are gone. Only flaws leave any.
    pub fn prune(&mut self, hash: u64) {
        let dead = |slot: &Slot<K, V>| (slot.node.strong_count() == 0).then_some(slot.id);
        let dead: Vec<_> = self.index.get(&hash).into_iter().flatten().filter_map(dead).collect();
        dead.into_iter().for_each(|id| self.unlink(id, &[hash]));
    }

    /// The flows that have slots under `hash`.
    pub fn ids_under(&self, hash: u64) -> Vec<u64> {
        self.index.get(&hash).into_iter().flatten().map(|slot| slot.id).collect()
    }

    /// Lets a flow go that leaves the table at once.
    pub fn release(&mut self, id: u64) -> Option<Arc<Node<K, V>>> {
        let (node, filed) = self.held.remove(&id)?;
        self.queue.remove(&(filed, id));
        self.dying.remove(&id);
        Some(node)
    }

    /// A flow that has ended gives up its place, and waits for a reap without one.
    pub fn die(&mut self, id: u64, node: &Arc<Node<K, V>>) {
        self.queue.remove(&(self.held[&id].1, id));
        self.dying.insert(id);
        // Relaxed: read under the lock that is held here.
        node.died.store(true, Ordering::Relaxed);
        self.reserved += usize::from(self.is(Flaw::DyingTakesAPlace));
        if self.is(Flaw::DyingAreHidden) {
            self.unlink(id, &node.hashes);
        }
    }

    /// Lets one go that dies.
    pub fn bury(&mut self) -> Option<(Arc<Node<K, V>>, EndReason)> {
        let id = *self.dying.first()?;
        let node = self.release(id)?;
        let reason = reason_of(&node);
        Some((node, reason))
    }

    /// Files a flow, if it is held, under the time to look at it.
    pub fn file(&mut self, id: u64, time: Timestamp) {
        if self.dying.contains(&id) && !self.is(Flaw::HandsOverWhatCameBack) {
            return;
        }
        if let Some((node, filed)) = self.held.get_mut(&id) {
            // Relaxed: set under the lock.
            if node.asked.load(Ordering::Relaxed) > 0 && node.status() == Status::Active {
                return;
            }
            self.queue.remove(&(*filed, id));
            *filed = time;
            self.queue.insert((time, id));
        }
    }

    /// Looks at all notes.
    pub fn work_off_notes(&mut self) {
        let notes = std::mem::take(&mut self.notes);
        notes.into_iter().for_each(|id| self.file(id, Timestamp::ZERO));
    }

    /// Looks at the first flow in the queue, if its time has come. One that has ended is still held.
    pub fn visit_due(&mut self, now: Timestamp) -> Visit<K, V> {
        if self.is(Flaw::ReapScansAll) {
            std::hint::black_box(self.held.values().filter(|(node, _)| node.is_live(now)).count());
        }
        let mine = |id| !self.is(Flaw::ReapsOwnOnly) || self.held[id].0.thread == std::thread::current().id();
        let Some(&(time, id)) = self.queue.iter().find(|(_, id)| mine(id)).filter(|(time, _)| *time <= now) else {
            return Visit::NothingDue;
        };
        let node = Arc::clone(&self.held[&id].0);
        if self.is(Flaw::StaleEntryRemovesByKey) && node.status() == Status::Detached {
            for id in node.hashes.iter().flat_map(|&hash| self.ids_under(hash)).collect::<Vec<_>>() {
                self.unlink(id, &node.hashes);
            }
        }
        if self.settle(&node, now) {
            debug_assert!(time < node.deadline());
            let filing = node.table.upgrade().map(|table| table.filing(node.deadline(), now));
            self.file(id, filing.unwrap_or(node.deadline()));
            return Visit::Rescheduled;
        }
        let reason = reason_of(&node);
        self.stats.ended.expired += u64::from(self.is(Flaw::CountsEndsTwice) && reason == EndReason::Expired);
        Visit::Ended(node, reason)
    }

    /// Files a flow whose deadline was changed, unless it is filed earlier.
    pub fn bring_forward(&mut self, id: u64, deadline: Timestamp) {
        if self.held.get(&id).is_some_and(|(_, filed)| deadline < *filed) {
            self.file(id, deadline);
        }
    }

    /// As [`visit_due`](Self::visit_due), but leaves live flows where they are, to be asked about.
    pub fn visit_for_room(&mut self, now: Timestamp) -> Visit<K, V> {
        let live: Vec<_> = self
            .queue
            .iter()
            .take_while(|(time, id)| *time <= now && self.held[id].0.is_live(now))
            .copied()
            .collect();
        for filed in &live {
            self.queue.remove(filed);
        }
        let visit = self.visit_due(now);
        self.queue.extend(live);
        visit
    }

    /// Looks at the first flow in the queue, if its time has come, to ask about it: the question of the number
    /// beside it.
    pub fn come_up(&mut self, now: Timestamp) -> Option<(Arc<Node<K, V>>, u64)> {
        let &(_, id) = self.queue.first().filter(|(time, _)| *time <= now)?;
        let node = Arc::clone(&self.held[&id].0);
        if node.status() == Status::Active {
            self.file(id, Timestamp::MAX);
            // Relaxed: the lock is held.
            self.questions += u64::from(!self.is(Flaw::AsksTwiceAtOnce));
            node.asked.store(self.questions, Ordering::Relaxed);
        }
        Some((node, self.questions))
    }

    /// Returns `true` if this question about the flow was open, and ends it.
    pub fn end_question(&self, node: &Node<K, V>, question: u64) -> bool {
        // Relaxed: the lock is held.
        node.asked.compare_exchange(question, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Acts on the answer about a flow. Returns the reason if it ends.
    pub fn answered(
        &mut self,
        node: &Arc<Node<K, V>>,
        question: u64,
        answer: Answer,
        now: Timestamp,
    ) -> Option<EndReason> {
        if node.status() == Status::Active && !self.end_question(node, question)
            || !self.held.contains_key(&node.id)
            || self.dying.contains(&node.id)
        {
            return None;
        }
        let answer = if self.is(Flaw::IgnoresAnswers) { Answer::Proceed } else { answer };
        if node.status() == Status::Active
            && let Answer::AskAgain(time) = answer
            && now < time
        {
            let deadline = if node.is_live(now) { Some(node.deadline()) } else { node.state.postpone(time) };
            if self.is(Flaw::AnswersShorten) {
                let _ = node.state.set_deadline(time);
            }
            self.file(node.id, deadline.map_or(Timestamp::ZERO, |deadline| deadline.min(time)));
        } else if self.settle(node, now) {
            let filing = node.table.upgrade().map(|table| table.filing(node.deadline(), now));
            self.file(node.id, filing.unwrap_or(node.deadline()));
        } else {
            return Some(reason_of(node));
        }
        None
    }

    pub fn shrink_to_fit(&mut self) {
        if self.is(Flaw::NeverShrinks) {
            return;
        }
        self.index.shrink_to_fit();
        self.held.shrink_to_fit();
    }

    /// Shrinks when most of the memory is unused.
    pub fn shrink(&mut self) {
        if self.index.capacity().max(self.held.capacity()) > 64 + 4 * self.index.len().max(self.held.len()) {
            self.shrink_to_fit();
        }
    }

    pub fn bytes(&self) -> usize {
        let slots = self.index.capacity() * size_of::<(u64, Vec<Slot<K, V>>)>();
        let held = self.held.capacity() * size_of::<(u64, (Arc<Node<K, V>>, Timestamp))>();
        let queue = self.queue.len() * size_of::<(Timestamp, u64)>();
        let lists = self.index.len() * 4 * size_of::<Slot<K, V>>();
        let notes = self.notes.capacity() * size_of::<u64>() + size_of_val(self.kept_notes.as_slice());
        notes + slots + held + queue + lists + self.nodes_kept() * size_of::<Node<K, V>>()
    }

    /// The flows for which there is memory.
    fn nodes_kept(&self) -> usize {
        const PAGE: u64 = 512;
        if !self.is(Flaw::FlowsKeepTheirPages) {
            return self.held.len();
        }
        let pages: HashSet<_> = self.held.keys().map(|id| id / PAGE).collect();
        pages.len() * PAGE as usize
    }
}
