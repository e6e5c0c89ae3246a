use std::borrow::Borrow;
use std::cmp::Reverse;
use std::hash::{Hash, Hasher};
use std::sync::MutexGuard;

use flow_table_api::state::{Expiry, FlowState};
use flow_table_api::{EndReason, KeyHasher, Status, Timestamp};
use priority_queue::PriorityQueue;

use crate::flow::Record;
use crate::id::FlowId;
use crate::queue::Queue;
use crate::strong::Strong;

/// Flows by the time that they are filed under, the earliest first.
pub(crate) type Heap<K, V> = PriorityQueue<Entry<K, V>, Reverse<Timestamp>, KeyHasher>;

/// A flow in a queue. Equal by id: the key plays no part.
pub(crate) struct Entry<K, V> {
    id: FlowId,
    pub(crate) flow: Strong<K, V>,
}

/// A flow that has been taken out of its queue.
pub(crate) struct Taken<K, V> {
    pub(crate) id: FlowId,
    pub(crate) flow: Strong<K, V>,
    pub(crate) reason: EndReason,
}

/// What a visit to a queue came to.
pub(crate) enum Visit<K, V> {
    /// A flow that has ended.
    Ended(Taken<K, V>),
    /// A flow that a refresh had moved was filed again, or a note was about one that had been reinserted.
    Rescheduled,
    /// Nothing is due.
    Nothing,
}

/// A queue whose lock is held.
pub(crate) struct LockedQueue<'q, K, V> {
    queue: &'q Queue<K, V>,
    heap: MutexGuard<'q, Heap<K, V>>,
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

impl<'q, K, V> LockedQueue<'q, K, V> {
    pub(crate) const fn new(queue: &'q Queue<K, V>, heap: MutexGuard<'q, Heap<K, V>>) -> Self {
        Self { queue, heap }
    }

    /// Files the flow under `deadline` and makes it active.
    ///
    /// A flow comes back or goes in only under the stripes of its keys, and neither an active nor a cancelled one gets
    /// here, so nobody can come between.
    pub(crate) fn activate(&mut self, id: FlowId, flow: &Strong<K, V>, deadline: Timestamp) {
        self.absorb_ends();
        flow.options.set_own(Record::<K, V>::QUEUED);
        flow.home.counts.inserts.add();
        self.heap.push(Entry { id, flow: flow.clone() }, Reverse(deadline));
        let activated = flow.state.activate(deadline);
        debug_assert_eq!(activated, Ok(()), "only the holder of the stripes activates");
    }

    /// Files a flow that [`visit`](Self::visit) gave again, for the next reap to find at once.
    pub(crate) fn put_back(&mut self, taken: Taken<K, V>) {
        let Taken { id, flow, .. } = taken;
        flow.options.set_own(Record::<K, V>::QUEUED);
        self.heap.push(Entry { id, flow }, Reverse(Timestamp::ZERO));
    }

    /// Takes a note. Until the lock is given back the queue looks due, as it did while the note was there: a reap that comes
    /// meanwhile waits, and does not take the flow for one that has not ended.
    fn next_note(&mut self) -> Option<FlowId> {
        if !self.queue.has_notes() {
            return None;
        }
        self.queue.set_earliest(Some(Timestamp::ZERO));
        self.queue.next_note()
    }

    /// Takes two notes and moves the flows that they name to the front. Each filing leads to at most one note, and
    /// a flow that comes back is filed where it was, so a table that reinserts and never reaps keeps no more notes
    /// than flows.
    fn absorb_ends(&mut self) {
        for _ in 0..2 {
            let Some(id) = self.next_note() else { return };
            if self.heap.get(&id).is_some_and(|(entry, _)| end_reason(&entry.flow).is_some()) {
                self.heap.change_priority(&id, Reverse(Timestamp::ZERO));
            }
        }
    }

    /// Ends an active flow by `end` and takes it; whether this call did.
    pub(crate) fn detach(
        &mut self,
        id: FlowId,
        flow: &Record<K, V>,
        end: impl FnOnce(&FlowState) -> bool,
    ) -> bool {
        // The caller keeps the flow alive, so nothing is dropped under the lock.
        end(&flow.state) && self.take(id).is_some()
    }

    /// Takes a flow that is not active.
    pub(crate) fn take(&mut self, id: FlowId) -> Option<Strong<K, V>> {
        let (entry, _) = self.heap.remove(&id)?;
        entry.flow.options.clear_own(Record::<K, V>::QUEUED);
        Some(entry.flow)
    }

    /// Looks at one flow that may have ended or may be due at `now`, and takes it if so. Bounded work.
    pub(crate) fn visit(&mut self, now: Timestamp) -> Visit<K, V> {
        if let Some(id) = self.next_note() {
            let ended = self.heap.get(&id).and_then(|(entry, _)| end_reason(&entry.flow));
            return ended.and_then(|reason| self.take_ended(id, reason)).unwrap_or(Visit::Rescheduled);
        }
        let Some((entry, &Reverse(filed))) = self.heap.peek() else { return Visit::Nothing };
        if now < filed {
            return Visit::Nothing;
        }
        let id = entry.id;
        let reason = match entry.flow.expire(now) {
            Expiry::NotDue(deadline) => {
                self.heap.change_priority(&id, Reverse(deadline));
                return Visit::Rescheduled;
            }
            Expiry::NotActive(Status::Cancelled) => EndReason::Cancelled,
            Expiry::Expired | Expiry::NotActive(_) => EndReason::Expired,
        };
        self.take_ended(id, reason).unwrap_or(Visit::Nothing)
    }

    fn take_ended(&mut self, id: FlowId, reason: EndReason) -> Option<Visit<K, V>> {
        self.take(id).map(|flow| Visit::Ended(Taken { id, flow, reason }))
    }

    /// Files the flow under its own deadline if it stands behind that.
    pub(crate) fn advance(&mut self, id: FlowId) {
        if let Some((entry, &Reverse(filed))) = self.heap.get(&id) {
            let deadline = entry.flow.state.load().deadline;
            if deadline < filed {
                self.heap.change_priority(&id, Reverse(deadline));
            }
        }
    }

    /// Takes all flows.
    pub(crate) fn drain(&mut self) -> Vec<(FlowId, Strong<K, V>)> {
        let entries = self.heap.drain().map(|(entry, _)| (entry.id, entry.flow)).collect();
        self.heap.shrink_to_fit();
        entries
    }
}

impl<K, V> Drop for LockedQueue<'_, K, V> {
    fn drop(&mut self) {
        self.queue.set_earliest(self.heap.peek().map(|(_, &Reverse(filed))| filed));
    }
}

/// Why a flow that waits for a reap has ended; `None` for an active one.
fn end_reason<K, V>(flow: &Record<K, V>) -> Option<EndReason> {
    match flow.state.load().status {
        Status::Expired => Some(EndReason::Expired),
        Status::Cancelled => Some(EndReason::Cancelled),
        Status::Active | Status::Detached => None,
    }
}
