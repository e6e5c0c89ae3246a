use std::sync::Arc;

use flow_table_api::{Direction, Key, OnExpiry, Status, Timestamp, Value};

use crate::flow::Record;
use crate::shared::Shared;

/// A flow that a look-up found, and the direction of the key that matched.
pub(crate) type Found<K, V> = (Arc<Record<K, V>>, Direction);

/// What a look-up makes of a flow that stands under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visibility {
    /// It is found.
    Visible,
    /// It has ended.
    Hidden,
    /// A writer may be putting it in or taking it out this moment.
    Unsettled,
}

impl<K: Key, V: Value> Shared<K, V> {
    /// Look-up: one hash, one probe, one reference counted.
    #[inline]
    pub(crate) fn find(&self, key: &K, now: Timestamp) -> Option<Found<K, V>> {
        let hash = self.hash(key);
        let occupant = self.slots.get(hash, key)?;
        let flow = occupant.flow?;
        match flow.visibility(now) {
            Visibility::Visible => Some((flow, occupant.slot.direction())),
            Visibility::Hidden => None,
            Visibility::Unsettled => {
                drop(flow);
                self.find_settled(hash, key, now)
            }
        }
    }

    /// The second look, with writers of the key kept out: what is not live now is not there.
    #[cold]
    fn find_settled(&self, hash: u64, key: &K, now: Timestamp) -> Option<Found<K, V>> {
        // Outlives the lock: dropping what is found may run user code.
        let occupant;
        let visibility;
        {
            let _settled = self.stripes.settle(hash);
            occupant = self.slots.get(hash, key)?;
            visibility = occupant.flow.as_ref()?.visibility(now);
        }
        let found = occupant.flow.map(|flow| (flow, occupant.slot.direction()));
        found.filter(|_| visibility == Visibility::Visible)
    }
}

impl<K, V> Record<K, V> {
    /// The rules of look-up for a flow that stands under the key looked up (contract L1–L3).
    #[inline]
    fn visibility(self: &Arc<Self>, now: Timestamp) -> Visibility {
        if self.state.load().is_live(now) { Visibility::Visible } else { self.visibility_of_ended(now) }
    }

    #[cold]
    fn visibility_of_ended(self: &Arc<Self>, now: Timestamp) -> Visibility {
        if self.is_live_or_expires(now) {
            return Visibility::Visible;
        }
        match self.state.load().status {
            // Reinserted this moment.
            Status::Active => self.visibility(now),
            Status::Detached => Visibility::Unsettled,
            Status::Expired if self.options.own(Self::RETURNING) => Visibility::Unsettled,
            Status::Expired if self.options.on_expiry() == OnExpiry::KeepWhileReferenced && self.is_shared() => {
                Visibility::Visible
            }
            Status::Expired | Status::Cancelled => Visibility::Hidden,
        }
    }

    /// Whether anyone but the caller and the table holds the flow. A call in progress on another thread counts.
    fn is_shared(self: &Arc<Self>) -> bool {
        let queued = || self.options.own(Self::QUEUED);
        let (before, holders) = (queued(), Arc::strong_count(self));
        // If the table let go while they were counted, its reference was a reap callback's for a moment.
        holders > 1 + usize::from(before && queued())
    }
}
