use std::sync::Arc;

use flow_table_api::{Direction, Key, Timestamp, Value};

use crate::flow::{Record, Visibility};
use crate::shared::Shared;

/// A flow that a look-up found, and the direction of the key that matched.
pub(crate) type Found<K, V> = (Arc<Record<K, V>>, Direction);

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
