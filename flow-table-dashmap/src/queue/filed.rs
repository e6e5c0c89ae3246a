use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::Ordering;

use flow_table_api::state::{Expiry, FlowState};
use flow_table_api::{Answer, KeyHasher, Status, Timestamp};
use priority_queue::PriorityQueue;

use crate::base::id::FlowId;
use crate::base::sync::Arc;
use crate::flow::record::{Home, Record};
use crate::flow::strong::Strong;

/// The flows of one queue, guarded by its lock.
pub(crate) struct Filed<K, V> {
    home: Arc<Home<K, V>>,
    /// The flows that have a place in the table, by the time under which they are filed, the earliest first.
    heap: PriorityQueue<Entry<K, V>, Reverse<Timestamp>, KeyHasher>,
    /// Flows that have ended and given up their places, for the next reap to hand over. The oldest go first. Ids
    /// only grow, so no flow waits for ever.
    dying: BTreeMap<FlowId, Strong<K, V>>,
}

/// A flow in the heap. Equality is by id, and ignores the key.
struct Entry<K, V> {
    id: FlowId,
    flow: Strong<K, V>,
}

/// The result of a visit to a queue.
pub(crate) enum Visit<T> {
    /// A flow that has ended.
    Ended(T),
    /// A flow that was refreshed or shortened has been filed again, or a note named a flow that is not there any
    /// more.
    Rescheduled,
    /// Nothing is due.
    Nothing,
}

/// What became of a flow that was asked about.
pub(crate) enum Answered {
    /// It ends.
    Ended,
    /// It is filed under this time.
    Filed(Timestamp),
    /// Another operation has taken it.
    Gone,
}

impl<K, V> Hash for Entry<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl<K, V> PartialEq for Entry<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<K, V> Eq for Entry<K, V> {}

impl<K, V> Borrow<FlowId> for Entry<K, V> {
    fn borrow(&self) -> &FlowId {
        &self.id
    }
}

impl<K, V> Filed<K, V> {
    /// The bytes of an entry: item, time and hash; its place in the hash table, of which at most seven of eight
    /// are used; its positions in the heap and back.
    pub(crate) const ENTRY_BYTES: usize =
        size_of::<(Entry<K, V>, Timestamp, u64)>() + 11 + size_of::<[usize; 2]>();

    /// The bytes of a dying flow's entry. At least six of the eleven entries in a node are used.
    const DYING_BYTES: usize = 2 * size_of::<(FlowId, Strong<K, V>)>();

    pub(crate) fn new(home: Arc<Home<K, V>>) -> Self {
        Self { home, heap: PriorityQueue::with_hasher(KeyHasher::random()), dying: BTreeMap::new() }
    }

    /// Stores the time at which the first flow must be visited. This is the last step before a thread releases the
    /// lock.
    pub(crate) fn hint(&self) {
        let first = || self.heap.peek().map(|(_, &Reverse(filed))| filed);
        self.home.set_earliest(if self.dying.is_empty() { first() } else { Some(Timestamp::ZERO) });
    }

    /// Takes a note. The queue looks due until the lock is released, as it did while the note was there. So a
    /// concurrent reap waits, and does not assume that the flow has not ended.
    #[inline]
    fn next_note(&self) -> Option<FlowId> {
        if self.home.noted.is_empty() { None } else { self.take_note() }
    }

    #[cold]
    #[inline(never)]
    fn take_note(&self) -> Option<FlowId> {
        self.home.set_earliest(Some(Timestamp::ZERO));
        self.home.noted.pop()
    }

    /// Makes the flow active at `now` and files it. Returns the time under which it is filed. A flow is inserted
    /// or reinserted only under the stripes of its keys, and never if it is active or cancelled, so no other
    /// thread can interfere.
    ///
    /// Takes two notes and moves the flows that they name to the front. Each filing leads to at most one note, and
    /// a flow that comes back is filed in the same queue. So a table that reinserts and never reaps keeps no more
    /// notes than flows.
    pub(crate) fn activate(&mut self, id: FlowId, flow: &Strong<K, V>, now: Timestamp) -> Timestamp {
        let deadline = now + flow.options.timeout();
        let filing = self.home.shared.filing(deadline, now);
        for _ in 0..2 {
            let Some(noted) = self.next_note() else { break };
            self.advance(noted);
        }
        flow.options.set_own(Record::<K, V>::QUEUED);
        flow.earlier.taken();
        flow.home.counts.inserts.add();
        self.heap.push(Entry { id, flow: flow.clone() }, Reverse(filing));
        let activated = flow.state.activate(deadline);
        debug_assert_eq!(activated, Ok(()), "only the holder of the stripes activates");
        filing
    }

    /// Ends an active flow by `end` and takes it. Returns `true` if this call did so.
    pub(crate) fn detach(
        &mut self,
        id: FlowId,
        flow: &Record<K, V>,
        end: impl FnOnce(&FlowState) -> bool,
    ) -> bool {
        // The caller keeps the flow alive, so nothing is dropped under the lock.
        end(&flow.state) && self.take(id).is_some()
    }

    /// Takes a flow out of the table that has a place and is not active.
    pub(crate) fn take(&mut self, id: FlowId) -> Option<Strong<K, V>> {
        self.heap.remove(&id).map(|(entry, _)| entry.flow).inspect(Self::let_go)
    }

    /// Files a flow of which a note was taken anew, if it has a place: first of all if it has ended, else under
    /// its own deadline if it is filed later than that. A live flow that a reap asks about stays where it is.
    pub(crate) fn advance(&mut self, id: FlowId) {
        if let Some((entry, &Reverse(filed))) = self.heap.get(&id) {
            entry.flow.earlier.taken();
            if entry.flow.options.own(Record::<K, V>::ASKED) && entry.flow.end_reason().is_none() {
                return;
            }
            let ended = entry.flow.end_reason().map(|_| Timestamp::ZERO);
            let deadline = ended.unwrap_or_else(|| entry.flow.state.load().deadline);
            if deadline < filed {
                self.heap.change_priority(&id, Reverse(deadline));
            }
        }
    }

    /// Looks at one flow that has a place and may have ended or be due at `now`. If it has ended, the caller takes
    /// it, lets it die, or [moves it to the front](Self::advance), because its note is gone. The work is
    /// bounded.
    pub(crate) fn visit(&mut self, now: Timestamp) -> Visit<FlowId> {
        if let Some(id) = self.next_note() {
            self.advance(id);
            return if self.is_due(id, now) { Visit::Ended(id) } else { Visit::Rescheduled };
        }
        let Some((entry, &Reverse(filed))) = self.heap.peek() else { return Visit::Nothing };
        let is_asked = entry.flow.options.own(Record::<K, V>::ASKED) && entry.flow.end_reason().is_none();
        if now < filed || is_asked {
            return Visit::Nothing;
        }
        let id = entry.id;
        if let Expiry::NotDue(deadline) = entry.flow.expire(now) {
            let filing = self.home.shared.filing(deadline, now);
            self.heap.change_priority(&id, Reverse(filing));
            return Visit::Rescheduled;
        }
        Visit::Ended(id)
    }

    /// As [`visit`](Self::visit), for an insertion that looks for room. A live flow that comes up to be asked
    /// about is put `aside`, and later [back](Self::put_back), for the next reap that asks. Otherwise a flood that
    /// finds the table full would put questions off for ever.
    pub(crate) fn visit_for_room(
        &mut self,
        now: Timestamp,
        aside: &mut Vec<(FlowId, Timestamp)>,
    ) -> Visit<FlowId> {
        let shared = &self.home.shared;
        // Relaxed: a hint; the reap that asks has set it long before.
        let asks = shared.period != u64::MAX || shared.asks.load(Ordering::Relaxed);
        if asks
            && self.home.noted.is_empty()
            && let Some((entry, &Reverse(filed))) = self.heap.peek()
            && filed <= now
            && entry.flow.state.is_live(now)
        {
            let id = entry.id;
            aside.push((id, filed));
            self.heap.change_priority(&id, Reverse(Timestamp::MAX));
            return Visit::Rescheduled;
        }
        self.visit(now)
    }

    /// Files flows as they were before [`visit_for_room`](Self::visit_for_room) under the same lock.
    pub(crate) fn put_back(&mut self, aside: &mut Vec<(FlowId, Timestamp)>) {
        for (id, filed) in aside.drain(..) {
            self.heap.change_priority(&id, Reverse(filed));
        }
    }

    /// As [`visit`](Self::visit), but finds what a reap must ask about, and ends no flow. A flow to ask about is
    /// filed under the end of time until [`answered`](Self::answered) files it.
    pub(crate) fn come_up(&mut self, now: Timestamp) -> Visit<(FlowId, Option<Strong<K, V>>)> {
        let id = match self.next_note() {
            Some(id) => {
                self.advance(id);
                id
            }
            None => match self.heap.peek() {
                Some((entry, &Reverse(filed)))
                    if filed <= now && !entry.flow.options.own(Record::<K, V>::ASKED) =>
                {
                    entry.id
                }
                _ => return Visit::Nothing,
            },
        };
        let Some((entry, &Reverse(filed))) = self.heap.get(&id) else { return Visit::Rescheduled };
        if entry.flow.end_reason().is_some() {
            return Visit::Ended((id, None));
        }
        if now < filed || entry.flow.options.own(Record::<K, V>::ASKED) {
            return Visit::Rescheduled;
        }
        // Relaxed: see `visit_for_room`.
        self.home.shared.asks.store(true, Ordering::Relaxed);
        let flow = entry.flow.clone();
        flow.options.set_own(Record::<K, V>::ASKED);
        self.heap.change_priority(&id, Reverse(Timestamp::MAX));
        Visit::Ended((id, Some(flow)))
    }

    /// Files a flow that was asked about, or ends it. Returns `true` if this call ended it; the caller takes it.
    /// If the flow has ended by itself or is not there any more, there is nothing to do.
    pub(crate) fn answered(&mut self, id: FlowId, answer: Answer, now: Timestamp) -> Answered {
        let Some(flow) = self.no_longer_asked(id) else { return Answered::Gone };
        let filing = match answer {
            _ if flow.end_reason().is_some() => Timestamp::ZERO,
            Answer::AskAgain(time) if now < time => match flow.state.load() {
                word if word.is_live(now) => word.deadline.min(time),
                _ => flow.state.postpone(time).map_or(Timestamp::ZERO, |_| time),
            },
            Answer::AskAgain(_) | Answer::Proceed => match flow.expire(now) {
                Expiry::NotDue(deadline) => self.home.shared.filing(deadline, now),
                Expiry::NotActive(_) => Timestamp::ZERO,
                Expiry::Expired => return Answered::Ended,
            },
        };
        self.heap.change_priority(&id, Reverse(filing));
        Answered::Filed(filing)
    }

    /// Files a flow that was to be asked about, for the next reap that asks. Returns the time.
    pub(crate) fn file_again(&mut self, id: FlowId, now: Timestamp) -> Option<Timestamp> {
        let flow = self.no_longer_asked(id)?;
        let deadline = flow.state.load().deadline;
        let filing = flow.end_reason().map_or(deadline.min(now), |_| Timestamp::ZERO);
        self.heap.change_priority(&id, Reverse(filing));
        Some(filing)
    }

    fn no_longer_asked(&self, id: FlowId) -> Option<&Strong<K, V>> {
        let (entry, _) = self.heap.get(&id)?;
        entry.flow.options.clear_own(Record::<K, V>::ASKED);
        entry.flow.earlier.taken();
        Some(&entry.flow)
    }

    /// Returns `true` if the flow has a place and has ended, or is due and so ends now. A reap that asks about it
    /// has the first say.
    fn is_due(&self, id: FlowId, now: Timestamp) -> bool {
        self.heap.get(&id).is_some_and(|(entry, _)| {
            let is_asked = entry.flow.options.own(Record::<K, V>::ASKED);
            let may_end = !is_asked || entry.flow.end_reason().is_some();
            may_end && !matches!(entry.flow.expire(now), Expiry::NotDue(_))
        })
    }

    /// Moves an ended flow that has a place to the dying list, because another flow takes the place. Returns
    /// `false` if there is no such flow.
    pub(crate) fn let_die(&mut self, id: FlowId) -> bool {
        self.heap.remove(&id).map(|(entry, _)| self.dying.insert(id, entry.flow)).is_some()
    }

    /// Removes a flow from the dying list, if it is there.
    pub(crate) fn take_dying(&mut self, id: FlowId) -> Option<Strong<K, V>> {
        self.dying.remove(&id).inspect(Self::let_go)
    }

    /// Removes the flow from the dying list that is handed over next.
    #[inline]
    pub(crate) fn next_dying(&mut self) -> Option<Strong<K, V>> {
        self.dying.pop_first().map(|(_, flow)| flow).inspect(Self::let_go)
    }

    fn let_go(flow: &Strong<K, V>) {
        flow.options.clear_own(Record::<K, V>::QUEUED | Record::<K, V>::ASKED);
    }

    /// Returns the active flows of one part of the heap: the part just before position `end`. Sets `end` to the
    /// beginning of the part.
    ///
    /// A flow stays in its position until it is taken, or until a flow before it is taken and it is the last one:
    /// then it moves there. So a caller that asks for all parts of a heap from the end to the beginning gets each
    /// flow that stays, some of them more than once.
    pub(crate) fn active_before(&self, end: &mut usize) -> Vec<(FlowId, Strong<K, V>)> {
        /// The number of flows in a part. Skipping those before it is arithmetic and reads no memory.
        const PART: usize = 1_024;
        let last = (*end).min(self.heap.len());
        *end = last.saturating_sub(PART);
        let entries = self.heap.iter().skip(*end).take(last - *end).map(|(entry, _)| entry);
        let active = entries.filter(|entry| entry.flow.state.load().status == Status::Active);
        active.map(|entry| (entry.id, entry.flow.clone())).collect()
    }

    /// Returns up to `most` active flows from some position on, and then from the first one.
    pub(crate) fn active_from(&self, position: usize, most: usize) -> Vec<Strong<K, V>> {
        let from = position.checked_rem(self.heap.len()).unwrap_or(0);
        let entries = self.heap.iter().skip(from).chain(self.heap.iter().take(from)).map(|(entry, _)| &entry.flow);
        entries.filter(|flow| flow.state.load().status == Status::Active).take(most).cloned().collect()
    }

    /// Takes all flows.
    pub(crate) fn drain(&mut self) -> Vec<(FlowId, Strong<K, V>)> {
        let filed = self.heap.drain().map(|(entry, _)| (entry.id, entry.flow));
        filed.chain(std::mem::take(&mut self.dying)).collect()
    }

    /// The bytes that the entries occupy, also the free ones.
    pub(crate) fn memory(&self) -> usize {
        self.heap.capacity() * Self::ENTRY_BYTES + self.dying.len() * Self::DYING_BYTES
    }

    /// Gives unused memory back.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.heap.shrink_to_fit();
    }
}
