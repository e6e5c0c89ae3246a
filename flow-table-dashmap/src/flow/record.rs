use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flow_table_api::state::{Expiry, FlowOptions, FlowState};
use flow_table_api::{Direction, EndReason, NewFlow, NewFlowParts, Status, Timestamp};

use crate::base::id::FlowId;
use crate::base::panics::{Panics, drop_each};
use crate::flow::home::{self, Shared};

pub(crate) type Home<K, V> = home::Home<K, Record<K, V>>;

/// The memory of a flow.
///
/// Counted references are held by a queue (one, while the table holds the flow), by handles, and by bursts; the
/// slots of the map hold weak ones.
///
/// In the order of use: with the two reference counts before it, all that look-up and refresh touch but the key
/// and the value lies in the first 32 bytes.
#[repr(C)]
pub(crate) struct Record<K, V> {
    pub(crate) state: FlowState,
    pub(crate) options: FlowOptions,
    /// The bits of the latest [`FlowId`]; zero once its slots have been removed and the table has let go of it.
    /// Only who holds the stripes of the flow's keys gives a new one.
    id: AtomicU64,
    pub(crate) hash: u64,
    reply_hash: u64,
    pub(crate) home: Arc<Home<K, V>>,
    pub(crate) key: K,
    pub(crate) reply: Option<K>,
    pub(crate) value: V,
}

impl<K, V> Record<K, V> {
    /// Own bit of the options: a queue holds the flow, filed or dying. Set and cleared under the lock of that
    /// queue.
    pub(crate) const QUEUED: u32 = FlowOptions::OWN_0;

    pub(crate) fn new(flow: NewFlow<K, V>, hashes: (u64, Option<u64>), id: FlowId, home: Arc<Home<K, V>>) -> Self {
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

    pub(crate) fn shared(&self) -> &Arc<Shared<K, Self>> {
        &self.home.shared
    }

    pub(crate) fn reply_hash(&self) -> Option<u64> {
        self.reply.is_some().then_some(self.reply_hash)
    }

    pub(crate) fn id(&self) -> Option<FlowId> {
        // Acquire: pairs with the Release of `set_id` and `clear_id`.
        FlowId::from_bits(self.id.load(Ordering::Acquire))
    }

    pub(crate) fn set_id(&self, id: FlowId) {
        // Release: pairs with the Acquire of `id`.
        self.id.store(id.to_bits(), Ordering::Release);
    }

    /// Forgets `id` unless the flow has been reinserted since.
    pub(crate) fn clear_id(&self, id: FlowId) {
        // Release: pairs with the Acquire of `id`. Failure means that another id stands there, which stays.
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

    /// Whether the flow is live at `now`. One that is due is expired on the spot and left for the next reap
    /// (contract L2).
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

    /// Why the flow has ended, if a reap is to hand it over.
    pub(crate) fn end_reason(&self) -> Option<EndReason> {
        match self.state.load().status {
            Status::Expired => Some(EndReason::Expired),
            Status::Cancelled => Some(EndReason::Cancelled),
            Status::Active | Status::Detached => None,
        }
    }

    /// Whether it was removed or replaced. Stays so while the stripe of one of its keys is held.
    pub(crate) fn is_detached(&self) -> bool {
        self.state.load().status == Status::Detached
    }

    /// Tells the queue that holds the flow that it has ended. Takes no lock.
    pub(crate) fn note_end(&self) {
        if let Some(id) = self.id() {
            self.home.ended.push(id);
        }
    }

    /// Removes the slots called `id`, if they are there, and returns the keys, to be dropped under no lock, each
    /// by itself.
    pub(crate) fn remove_slots(&self, id: FlowId) -> [Option<K>; 2] {
        let slots = &self.shared().slots;
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

    /// Drops the flow, or leaves that to an outer drop on this thread. Runs under no lock.
    pub(crate) fn end(self) {
        let shared = Arc::clone(self.shared());
        shared.nesting.end(self, Self::drop_parts);
    }

    /// The last holder removes the slots itself, so no dead one ever waits to be found. Before the value is
    /// dropped: its `Drop` may call the table.
    #[inline]
    fn drop_parts(self, panics: &mut Panics) {
        if let Some(id) = self.id() {
            panics.drop_each(self.remove_slots(id));
        }
        let Self { key, reply, value, .. } = self;
        panics.catch(|| drop(key));
        panics.catch(|| drop(reply));
        panics.catch(|| drop(value));
    }
}
