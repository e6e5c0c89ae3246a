use std::sync::Arc;

use flow_table_api::{Direction, Key, OnExpiry, Status, Timestamp, Value};

use crate::flow::Record;
use crate::shared::Shared;

/// A flow that a look-up found, and the direction of the key that matched.
pub(crate) type Found<K, V> = (Arc<Record<K, V>>, Direction);

impl<K: Key, V: Value> Shared<K, V> {
    /// Look-up: one hash, one probe, one reference counted. A flow that is live when its status is read was found then.
    #[inline]
    pub(crate) fn find(&self, key: &K, now: Timestamp) -> Option<Found<K, V>> {
        let hash = self.hash(key);
        let occupant = self.slots.get(hash, key)?;
        let flow = occupant.flow?;
        if flow.state.load().is_live(now) {
            return Some((flow, occupant.slot.direction()));
        }
        drop(flow);
        self.find_settled(hash, key, now)
    }

    /// The second look at a key whose flow is not live. With writers of the key kept out: the flow may be on its way in, or
    /// may have made way for one that is.
    #[cold]
    fn find_settled(&self, hash: u64, key: &K, now: Timestamp) -> Option<Found<K, V>> {
        // Both outlive the lock: dropping what was looked at may run user code.
        let occupant;
        let found;
        {
            let _settled = self.stripes.settle(hash);
            occupant = self.slots.get(hash, key)?;
            found = occupant.flow.as_ref()?.is_found(now);
        }
        let direction = occupant.slot.direction();
        occupant.flow.filter(|_| found).map(|flow| (flow, direction))
    }
}

impl<K, V> Record<K, V> {
    /// Whether a look-up of the key under which the flow stands finds it (contract L1–L3).
    fn is_found(self: &Arc<Self>, now: Timestamp) -> bool {
        self.is_live_or_expires(now)
            || self.state.load().status == Status::Expired
                && self.options.on_expiry() == OnExpiry::KeepWhileReferenced
                && self.is_shared()
    }

    /// Whether anyone but the caller and the table holds the flow. A call in progress on another thread counts.
    fn is_shared(self: &Arc<Self>) -> bool {
        let queued = || self.options.own(Self::QUEUED);
        let (before, holders) = (queued(), Arc::strong_count(self));
        // If the table let go while they were counted, its reference was a reap callback's for a moment.
        holders > 1 + usize::from(before && queued())
    }
}
