use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flow_table_api::state::{Expiry, FlowOptions, FlowState, StateView};
use flow_table_api::{Direction, Flow, NewFlow, NewFlowParts, Status, Timestamp};

use crate::id::FlowId;
use crate::panics::drop_each;
use crate::queue::Queue;
use crate::stats::Counts;
use crate::strong::Strong;

/// A flow: what handles and bursts give access to, through [`flow_table_api::Flow`].
pub struct FlowRecord<K, V>(pub(crate) Strong<K, V>);

/// The memory of a flow.
///
/// Strong references are held by the queue (one, while the table holds the flow), by handles, and by bursts; the slots
/// of the map hold weak ones.
///
/// In the order of use: with the two reference counts before it, all that look-up and refresh touch but the key and the
/// value lies in the first 32 bytes.
#[repr(C)]
pub(crate) struct Record<K, V> {
    pub(crate) state: FlowState,
    pub(crate) options: FlowOptions,
    /// The bits of the latest [`FlowId`]; zero once its slots have been removed and the table has let go of it. Only who
    /// holds the stripes of the flow's keys gives a new one.
    id: AtomicU64,
    pub(crate) hash: u64,
    reply_hash: u64,
    /// The queue of the thread that inserted the flow, which holds it whenever a queue does.
    pub(crate) home: Arc<Queue<K, V>>,
    pub(crate) key: K,
    pub(crate) reply: Option<K>,
    pub(crate) value: V,
}

impl<K, V> Record<K, V> {
    /// Own bit of the options: a queue holds the flow. Set and cleared under the lock of that queue.
    pub(crate) const QUEUED: u32 = FlowOptions::OWN_0;

    pub(crate) fn new(
        flow: NewFlow<K, V>,
        hashes: (u64, Option<u64>),
        id: FlowId,
        home: Arc<Queue<K, V>>,
    ) -> Self {
        let NewFlowParts { key, reply, value, timeout, on_expiry } = flow.into_parts();
        Self {
            state: FlowState::new(),
            options: FlowOptions::new(timeout, on_expiry),
            id: AtomicU64::new(id.to_bits()),
            hash: hashes.0,
            reply_hash: hashes.1.unwrap_or_default(),
            home,
            key,
            reply,
            value,
        }
    }

    pub(crate) fn reply_hash(&self) -> Option<u64> {
        self.reply.is_some().then_some(self.reply_hash)
    }

    pub(crate) fn id(&self) -> Option<FlowId> {
        // Pairs with the Release of `set_id` and `clear_id`.
        FlowId::from_bits(self.id.load(Ordering::Acquire))
    }

    pub(crate) fn set_id(&self, id: FlowId) {
        // Pairs with the Acquire of `id`.
        self.id.store(id.to_bits(), Ordering::Release);
    }

    /// Forgets `id` unless the flow has been reinserted since.
    fn clear_id(&self, id: FlowId) {
        // Release pairs with the Acquire of `id`; failure means that another id stands there, which stays.
        let _ = self.id.compare_exchange(id.to_bits(), 0, Ordering::Release, Ordering::Relaxed);
    }

    /// Expires the flow if it is due, and counts that. The caller sees to it that the queue hears of it.
    pub(crate) fn expire(&self, now: Timestamp) -> Expiry {
        let expiry = self.state.expire(now);
        if expiry == Expiry::Expired {
            self.home.counts.expired.add();
        }
        expiry
    }

    /// Whether the flow is live at `now`. One that is due is expired on the spot and left for the next reap (contract
    /// L2).
    pub(crate) fn is_live_or_expires(&self, now: Timestamp) -> bool {
        match self.expire(now) {
            Expiry::NotDue(_) => true,
            Expiry::NotActive(_) => false,
            Expiry::Expired => {
                self.note_end();
                false
            }
        }
    }

    /// Whether it was removed or replaced. Stays so while the stripe of one of its keys is held.
    pub(crate) fn is_detached(&self) -> bool {
        self.state.load().status == Status::Detached
    }

    /// Tells the queue that holds the flow that it has ended. Takes no lock.
    pub(crate) fn note_end(&self) {
        if let Some(id) = self.id() {
            self.home.note_end(id);
        }
    }

    /// `Active` → `Detached` by `end`, and out of its queue; the id that it had if this call did it. `count` counts the end, under
    /// the queue's lock: who finds the flow detached and wants to reinsert it finds it counted too.
    ///
    /// The caller holds the stripe of one of the flow's keys, so that nobody reinserts it meanwhile.
    fn detach(&self, end: impl FnOnce(&FlowState) -> bool, count: impl FnOnce(&Counts)) -> Option<FlowId> {
        let id = self.id()?;
        let mut queue = self.home.lock();
        let detached = queue.detach(id, self, end);
        if detached {
            count(&self.home.counts);
        }
        detached.then_some(id)
    }

    /// Ends the flow because a new one takes its key, and its place in the table's count; whether this call did it, as it
    /// does of a live one. The caller holds the key's stripe, and removes the slots.
    pub(crate) fn replace(&self, now: Timestamp) -> bool {
        // Not twice, unless its deadline is moved meanwhile.
        while self.is_live_or_expires(now) {
            if let Some(id) = self.detach(|state| state.detach_live(now), |counts| counts.replaced.add()) {
                self.clear_id(id);
                return true;
            }
        }
        false
    }

    /// Ends the flow because somebody wants it out; its id if this call did it. The caller holds the stripe of one of its
    /// keys.
    pub(crate) fn remove(&self) -> Option<FlowId> {
        self.detach(FlowState::detach, |counts| {
            counts.removed.add();
            self.home.shared.held.sub(1);
        })
    }

    /// Takes an ended flow out of the queue in which it waits for a reap; whether it did wait. The caller holds the
    /// stripes of the flow's keys, and a handle.
    pub(crate) fn take_ended(&self) -> bool {
        self.id().and_then(|id| self.home.lock().take(id)).is_some()
    }

    /// Removes the slots called `id`, if they are there, and gives the keys, to be dropped under no lock, each by
    /// itself.
    pub(crate) fn remove_slots(&self, id: FlowId) -> [Option<K>; 2] {
        let slots = &self.home.shared.slots;
        let forward = slots.remove(self.hash, id.slot(Direction::Forward));
        let reply = self.reply_hash().and_then(|hash| slots.remove(hash, id.slot(Direction::Reply)));
        [forward, reply]
    }

    /// Removes the slots called `id` of a flow that the table has let go of as `id`. Runs under no lock.
    pub(crate) fn unlink(&self, id: FlowId) {
        let keys = self.remove_slots(id);
        self.clear_id(id);
        drop_each(keys);
    }
}

impl<K, V> Flow<K, V> for FlowRecord<K, V> {
    fn key(&self) -> &K {
        &self.0.key
    }

    fn reply_key(&self) -> Option<&K> {
        self.0.reply.as_ref()
    }

    fn value(&self) -> &V {
        &self.0.value
    }

    #[inline]
    fn state(&self) -> StateView<'_> {
        StateView::new(&self.0.state, &self.0.options)
    }
}

impl<K, V> fmt::Debug for FlowRecord<K, V> {
    /// Asks nothing of keys and values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowRecord").field("state", &self.0.state).field("options", &self.0.options).finish()
    }
}
