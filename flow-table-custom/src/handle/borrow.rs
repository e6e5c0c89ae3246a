//! P8. The look at a flow within a burst, which counts no reference.

use flow_table_api::Timestamp;

use crate::flows::{Entry, FlowEntry};
use crate::grace::Announcement;

/// Borrows the flow in an entry, if there is one, for as long as the burst is open. No reference is counted.
#[inline]
pub(crate) fn peek<K, V>(entry: Entry<K, V>, _: &Announcement) -> Option<&FlowEntry<K, V>> {
    // SAFETY: the burst was announced before the look at the count, which was not zero then, and stays
    // announced for as long as the announcement is borrowed.
    entry.refs().is_referenced().then(|| unsafe { entry.flow() })
}

/// As [`peek`], if the flow is live at `now`. It looks at the state alone: an active flow is referenced, and its
/// state changes before its last reference is given up.
#[inline]
pub(crate) fn peek_live<K, V>(entry: Entry<K, V>, now: Timestamp, _: &Announcement) -> Option<&FlowEntry<K, V>> {
    // SAFETY: the burst was announced before the look at the state, which was `Active` then, and stays announced
    // for as long as the announcement is borrowed.
    entry.state().is_live(now).then(|| unsafe { entry.flow() })
}
