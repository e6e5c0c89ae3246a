//! Announcements of replacements, for look-ups that come between the end of one flow and the start of the next.

use flow_table_api::Timestamp;

use crate::ids::EntryIndex;
use crate::sync::{AtomicU64, Ordering};

/// P7. The replacement that is going on in a shard: which flow replaces which. No single step can move a key
/// from one flow to another. So a replacement is announced here, in all shards of the keys of both flows. Then
/// the old flow ends, and then the new one starts. The new flow counts as active from the moment at which the
/// old one has ended: a look-up that comes between starts it, and waits for no other thread.
///
/// A flow that displaces one that has expired and is still held is announced too, as its own predecessor.
/// Look-ups do not start it, but they see which of the two flows has the key.
///
/// # Ground rules
///
/// * Only the holder of the shard's lock announces. It stores `deadline` before `flows`, and overwrites neither
///   of them before the new flow has started.
/// * A look-up that has met the new flow, with a reference or in a burst, may start it if it is announced here
///   and the old flow has ended. A flow starts by a compare-and-swap from the word of a flow that was never
///   active, which succeeds once in its life. If it succeeds, the replacement was not over, so what was read
///   here belongs to it.
pub(crate) struct Switch {
    /// The index of the old flow in the upper half and that of the new one in the lower half. Zero if no
    /// replacement is going on.
    flows: AtomicU64,
    /// The deadline of the new flow, in nanoseconds.
    deadline: AtomicU64,
}

/// The result of [`Switch::of`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replacement {
    pub(crate) old: EntryIndex,
    /// The deadline of the new flow.
    pub(crate) deadline: Timestamp,
}

impl Switch {
    pub(crate) fn new() -> Self {
        Self { flows: AtomicU64::new(0), deadline: AtomicU64::new(0) }
    }

    /// Announces that `new` is about to replace `old`. Call it under the shard's lock.
    pub(crate) fn begin(&self, old: EntryIndex, new: EntryIndex, deadline: Timestamp) {
        // Release: pairs with `of`. A look-up that reads this deadline for an earlier replacement finds that
        // the flow of that one has started.
        self.deadline.store(deadline.as_nanos(), Ordering::Release);
        let flows = u64::from(old.to_bits()) << u32::BITS | u64::from(new.to_bits());
        // Release: pairs with `of`, which then reads this deadline or a later one.
        self.flows.store(flows, Ordering::Release);
    }

    /// Ends the announcement: the new flow has started. Call it under the shard's lock.
    pub(crate) fn end(&self) {
        // Release: pairs with `of`, so that a look-up that finds nothing announced any more sees that the flow
        // has started.
        self.flows.store(0, Ordering::Release);
    }

    /// The replacement in which `new` is the new flow, if it is announced.
    pub(crate) fn of(&self, new: EntryIndex) -> Option<Replacement> {
        // Acquire: pairs with `begin`.
        let flows = self.flows.load(Ordering::Acquire);
        let old = EntryIndex::from_bits((flows >> u32::BITS) as u32)?;
        (flows as u32 == new.to_bits()).then(|| {
            // Acquire: pairs with `begin`.
            Replacement { old, deadline: Timestamp::from_nanos(self.deadline.load(Ordering::Acquire)) }
        })
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_announced_for_the_new_flow_only() {
        let (old, new, at) = (EntryIndex::new(7, 3, true), EntryIndex::new(0, 1, false), Timestamp::from_secs(5));
        let switch = Switch::new();
        assert_eq!((switch.of(new), switch.of(old)), (None, None));
        switch.begin(old, new, at);
        assert_eq!((switch.of(new), switch.of(old)), (Some(Replacement { old, deadline: at }), None));
        switch.end();
        assert_eq!(switch.of(new), None);
    }
}
