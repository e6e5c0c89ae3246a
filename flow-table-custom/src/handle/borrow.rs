//! P8. The look at a flow within a burst, which counts no reference.

use flow_table_api::Timestamp;

use crate::flows::{Entry, FlowEntry};
use crate::grace::{Announcement, Bursts};

/// Borrows the flow in an entry, if there is one, for as long as the burst is open. No reference is counted.
#[inline]
pub(crate) fn peek<'b, K, V>(
    entry: Entry<K, V>,
    bursts: &Bursts,
    announced: &'b Announcement<'_>,
) -> Option<&'b FlowEntry<K, V>> {
    // SAFETY: (1) the burst had announced the era of the flow's birth, or a later one, before the look at the
    // count, which was not zero then. It stays announced for as long as it is borrowed.
    bursts.sees(announced, move || entry.refs().is_referenced()).then(|| unsafe { entry.flow() })
}

/// As [`peek`], if the flow is live at `now` and unmarked. It looks at the state alone: an active flow is
/// referenced, and its state changes before its last reference is given up.
#[inline]
pub(crate) fn peek_live<'b, K, V>(
    entry: Entry<K, V>,
    now: Timestamp,
    bursts: &Bursts,
    announced: &'b Announcement<'_>,
) -> Option<&'b FlowEntry<K, V>> {
    // SAFETY: (1) as in `peek`, for the look at the state, which was `Active` then.
    bursts.sees(announced, move || entry.state().is_live_unmarked(now)).then(|| unsafe { entry.flow() })
}
