use std::sync::atomic::{AtomicU64, Ordering};

use flow_table_api::state::{Expiry, FlowOptions, FlowState, StateWord};
use flow_table_api::{Direction, EndReason, FinalRecord, NewFlow, NewFlowParts, Status, Timestamp};

use crate::base::id::FlowId;
use crate::base::panics::{Panics, drop_each};
use crate::base::sync::Arc;
use crate::flow::earlier::Earlier;
use crate::flow::home::{self, Shared};

pub(crate) type Home<K, V> = home::Home<K, Record<K, V>>;

/// The memory of a flow.
///
/// A queue has one counted reference as long as the table holds the flow. Handles and bursts have counted
/// references, too. The slots of the map have weak ones.
///
/// The fields are in the order of use. Except for the key and the value, everything that a look-up and a refresh
/// touch is in the first 32 bytes, which include the two reference counts before the record.
#[repr(C)]
pub(crate) struct Record<K, V> {
    pub(crate) state: FlowState,
    pub(crate) options: FlowOptions,
    pub(crate) earlier: Earlier,
    /// The bits of the latest [`FlowId`], or zero once its slots have been removed and the table has let go of it.
    /// Only a thread that holds the stripes of the flow's keys sets a new one.
    id: AtomicU64,
    pub(crate) hash: u64,
    reply_hash: u64,
    pub(crate) home: Arc<Home<K, V>>,
    pub(crate) key: K,
    pub(crate) reply: Option<K>,
    pub(crate) value: V,
}

impl<K, V> Record<K, V> {
    /// This backend's bit of the options: a queue holds the flow, filed or dying. Set and cleared under the lock
    /// of that queue.
    pub(crate) const QUEUED: u32 = FlowOptions::OWN_0;
    /// This backend's other bit: a reap asks about the flow. Set and cleared under the lock of its queue.
    pub(crate) const ASKED: u32 = FlowOptions::OWN_1;

    /// A flow that is inserted as `id`, or that is only prepared.
    pub(crate) fn new(
        flow: NewFlow<K, V>,
        hashes: (u64, Option<u64>),
        id: Option<FlowId>,
        home: Arc<Home<K, V>>,
    ) -> Self {
        let slack = home.shared.slack;
        let NewFlowParts { key, reply, value, timeout, on_expiry } = flow.into_parts();
        Self {
            state: FlowState::new(),
            options: FlowOptions::new(timeout, on_expiry, if slack.is_zero() { 0 } else { FlowOptions::SLACK }),
            earlier: Earlier::default(),
            id: AtomicU64::new(id.map_or(0, FlowId::to_bits)),
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
        // Release: pairs with the Acquire of `id`. If this fails, the flow has another id, which stays.
        let _ = self.id.compare_exchange(id.to_bits(), 0, Ordering::Release, Ordering::Relaxed);
    }

    /// Expires the flow if it is due, and counts the end. The caller must tell the queue.
    pub(crate) fn expire(&self, now: Timestamp) -> Expiry {
        let expiry = self.state.expire(now);
        if expiry == Expiry::Expired {
            self.home.counts.expired.add();
        }
        expiry
    }

    /// Returns `true` if the flow is live at `now`. If it is due, it is expired at once and left for the next reap
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

    /// The reason for the flow's end, if a reap must hand it over.
    pub(crate) fn end_reason(&self) -> Option<EndReason> {
        match self.state.load().status {
            Status::Expired => Some(EndReason::Expired),
            Status::Cancelled => Some(EndReason::Cancelled),
            Status::Active | Status::Detached => None,
        }
    }

    /// Returns `true` if the flow was removed or replaced. This does not change as long as the stripe of one of
    /// its keys is held.
    pub(crate) fn is_detached(&self) -> bool {
        self.state.load().status == Status::Detached
    }

    /// Tells the queue that holds the flow to look at it, because it has ended. Takes no lock.
    pub(crate) fn note_end(&self) {
        if let Some(id) = self.id() {
            self.home.noted.push(id);
        }
    }

    /// Tells the queue that holds the flow that its deadline was brought forward (contract D4). Takes no lock.
    ///
    /// The id is read after the deadline was changed. If the flow has been reinserted since, it is filed under the
    /// deadline that it has now, or nothing is found under the id.
    pub(crate) fn note_earlier(&self) {
        self.earlier.note(|| self.note_end());
    }

    /// Removes the slots named `id`, if they are there, and returns their keys. The caller drops these separately,
    /// under no lock.
    pub(crate) fn remove_slots(&self, id: FlowId) -> [Option<K>; 2] {
        let slots = &self.shared().slots;
        let forward = slots.remove(self.hash, id.slot(Direction::Forward));
        let reply = self.reply_hash().and_then(|hash| slots.remove(hash, id.slot(Direction::Reply)));
        [forward, reply]
    }

    /// Removes the slots named `id` of a flow that the table has let go of as `id`. Runs under no lock.
    pub(crate) fn unlink(&self, id: FlowId) {
        let keys = self.remove_slots(id);
        self.clear_id(id);
        drop_each(keys);
    }

    /// Drops the flow, or defers that to an outer drop on this thread. Runs under no lock.
    pub(crate) fn end(self) {
        let shared = Arc::clone(self.shared());
        shared.nesting.end(self, Self::drop_parts);
    }

    /// The last holder removes the slots itself, so no look-up ever finds a dead slot. This happens before the
    /// value is dropped, because its `Drop` may call the table.
    #[inline]
    fn drop_parts(self, panics: &mut Panics) {
        if let Some(id) = self.id() {
            panics.drop_each(self.remove_slots(id));
        }
        if self.shared().records.is_some() {
            return self.record(panics);
        }
        let Self { key, reply, value, .. } = self;
        panics.catch(|| drop(key));
        panics.catch(|| drop(reply));
        panics.catch(|| drop(value));
    }

    /// Passes the flow on instead of dropping it.
    #[cold]
    fn record(self, panics: &mut Panics) {
        let shared = Arc::clone(self.shared());
        if let Some(records) = &shared.records {
            panics.catch(|| records(self));
        }
    }

    /// All that was known of the flow.
    pub(crate) fn into_final(self) -> FinalRecord<K, V> {
        let Self { state, options, key, reply, value, .. } = self;
        let StateWord { status, deadline } = state.load();
        FinalRecord::new((key, reply), value, status, deadline, options.timeout().as_duration())
    }
}
