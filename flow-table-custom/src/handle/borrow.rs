use crate::flows::{Entry, FlowEntry};
use crate::grace::Announcement;

/// Borrows the flow in an entry, if there is one, for as long as the burst is open. No reference is counted.
#[inline]
pub(crate) fn peek<K, V>(entry: Entry<K, V>, _: &Announcement) -> Option<&FlowEntry<K, V>> {
    // SAFETY: the burst was announced before the look at the count, which was not zero then, and stays
    // announced for as long as the announcement is borrowed.
    entry.refs().is_referenced().then(|| unsafe { entry.flow() })
}
