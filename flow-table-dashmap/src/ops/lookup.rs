use flow_table_api::{Direction, Equivalent, Key, OnExpiry, Status, Timestamp, Value};

use crate::core::{Core, Occupant};
use crate::flow::record::Record;
use crate::flow::strong::Strong;

/// A flow that a look-up found, and the direction of the key that matched.
pub(crate) type Found<K, V> = (Strong<K, V>, Direction);

/// What a look-up decides about the flow under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// It finds the flow.
    Found,
    /// It does not.
    Lost,
    /// It must expire the flow first.
    Due,
}

impl<K: Key, V: Value> Core<K, V> {
    /// A look-up: one probe, and one reference counted. If a flow is live when its status is read, it
    /// was found at that moment.
    #[inline(always)]
    pub(crate) fn find<Q: Equivalent<K> + ?Sized>(
        &self,
        hash: u64,
        key: &Q,
        now: Timestamp,
    ) -> Option<Found<K, V>> {
        let occupant = self.occupant(hash, key)?;
        let flow = occupant.flow?;
        if flow.state.is_live_unmarked(now) {
            return Some((flow, occupant.slot.direction()));
        }
        drop(flow);
        self.find_settled(hash, key, now)
    }

    /// The second look at a key whose flow is not live, while no writer of the key is at work. At the first look,
    /// the flow may have been on its way in, or may have been giving way to another. This look may be repeated, so
    /// it changes nothing.
    #[cold]
    fn find_settled<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q, now: Timestamp) -> Option<Found<K, V>> {
        let (flow, direction, sight) = self.stripes.settled(hash, || {
            let Occupant { slot, flow } = self.occupant(hash, key)?;
            let flow = flow?;
            let sight = flow.sight(now);
            Some((flow, slot.direction(), sight))
        })?;
        match sight {
            Sight::Found => Some((flow, direction)),
            Sight::Lost => None,
            Sight::Due => {
                drop(flow);
                self.find_due(hash, key, now)
            }
        }
    }

    /// The third look, at a key whose flow is due. It expires the flow as a writer of the key, so that no other
    /// thread puts another flow in its place that this look-up would have to find, too.
    fn find_due<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q, now: Timestamp) -> Option<Found<K, V>> {
        // Both outlive the stripe, because dropping them may run user code.
        let occupant;
        let found;
        {
            let _held = self.stripes.hold(hash, None);
            occupant = self.occupant(hash, key)?;
            let flow = occupant.flow.as_ref()?;
            found = flow.is_live_or_expires(now) || flow.sight(now) == Sight::Found;
        }
        let direction = occupant.slot.direction();
        occupant.flow.filter(|_| found).map(|flow| (flow, direction))
    }
}

impl<K, V> Strong<K, V> {
    /// What a look-up of one of its keys decides about the flow (contract L1–L3).
    fn sight(&self, now: Timestamp) -> Sight {
        let state = self.state.load();
        let kept = || self.options.on_expiry() == OnExpiry::KeepWhileReferenced && self.is_shared();
        match state.status {
            Status::Active if state.is_live(now) => Sight::Found,
            Status::Active => Sight::Due,
            Status::Expired if kept() => Sight::Found,
            _ => Sight::Lost,
        }
    }

    /// Returns `true` if anyone but the caller and the table holds the flow. A call in progress on another thread
    /// counts, too.
    fn is_shared(&self) -> bool {
        let queued = || self.options.own(Record::<K, V>::QUEUED);
        let (before, holders) = (queued(), self.count());
        // If the table released the flow while references were counted, its reference belonged to the callback of
        // a reap for a moment.
        holders > 1 + usize::from(before && queued())
    }
}

#[cfg(test)]
mod tests {
    use flow_table_api::{NewFlow, Table};

    use super::*;
    use crate::FlowTable;

    /// It may be made again, and the key have another flow by then.
    #[test]
    fn a_look_at_a_flow_that_is_due_changes_nothing() {
        let table = FlowTable::<u64, ()>::new(1);
        let flow = table.insert(NewFlow::new(1, ()), Timestamp::ZERO).expect("there is room").flow;
        assert_eq!(flow.record().sight(Timestamp::MAX), Sight::Due);
        assert_eq!(flow.record().state.load().status, Status::Active);
        assert!(table.lookup(&1, Timestamp::MAX).is_some(), "expired, but held");
        assert_eq!(flow.record().sight(Timestamp::MAX), Sight::Lost, "by the caller and the table alone");
        assert_eq!(flow.record().state.load().status, Status::Expired);
    }
}
